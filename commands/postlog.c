/* SPDX-License-Identifier: ISC */
/* postlog - log a line, or lines of standard input, as the suite's programs do. postlog(1) */
#include "commands/command.h"
#include "log/events.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define LINE_LIMIT 3500

struct arguments {
	struct command command;
	const char *tag; /* -t, or NULL */
	enum log_level level;
	char **text; /* NULL at the end; none: standard input */
};

static const struct {
	const char *name;
	enum log_level level;
} levels[] = {{"info", LOG_LEVEL_INFO},	   {"warn", LOG_LEVEL_WARNING},
	      {"warning", LOG_LEVEL_WARNING}, {"error", LOG_LEVEL_ERROR},
	      {"fatal", LOG_LEVEL_FATAL},  {"panic", LOG_LEVEL_PANIC}};

static bool parse_level(const char *name, enum log_level *level)
{
	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++)
		if (strcmp(levels[i].name, name) == 0) {
			*level = levels[i].level;
			return true;
		}
	return false;
}

static void parse_arguments(int argc, char **argv, struct arguments *a)
{
	int c;

	while ((c = command_option(&a->command, argc, argv, "c:ip:t:v")) > 0) {
		switch (c) {
		case 'c':
			a->command.config_dir = optarg;
			break;
		case 'p':
			if (!parse_level(optarg, &a->level))
				command_fatal(&a->command, "unknown severity: %s", optarg);
			break;
		case 't':
			a->tag = optarg;
			break;
		case 'i': /* the process id is always there */
		case 'v':
			break;
		default:
			command_fatal(&a->command, "usage: postlog [-c config_dir] [-i] [-p priority] "
						   "[-t tag] [-v] [text]");
		}
	}
	a->text = argv + optind;
}

static void log_line(enum log_level level, struct slice text)
{
	switch (level) {
	case LOG_LEVEL_WARNING:
		LOG(warning, .text = text);
		break;
	case LOG_LEVEL_ERROR:
		LOG(error, .text = text);
		break;
	case LOG_LEVEL_FATAL:
		LOG(fatal, .text = text);
		break;
	case LOG_LEVEL_PANIC:
		LOG(panic, .text = text);
		break;
	default:
		LOG(info, .text = text);
	}
}

/* log_input - each line of standard input is one record; a very long one is several. */
static void log_input(enum log_level level)
{
	char *line = NULL;
	size_t size = 0;
	ssize_t n;

	while ((n = getline(&line, &size, stdin)) >= 0) {
		struct slice rest = slice_rtrim(slice(line, (size_t)n));

		do {
			log_line(level, slice_sub(rest, 0, LINE_LIMIT));
			rest = slice_from(rest, LINE_LIMIT);
		} while (rest.n > 0);
	}
	free(line);
}

static void log_words(enum log_level level, char **words)
{
	struct buffer text;

	buffer_init(&text, 65536);
	for (size_t i = 0; words[i] != NULL; i++) {
		if (i > 0)
			buffer_append_byte(&text, ' ');
		buffer_append_str(&text, words[i]);
	}
	log_line(level, buffer_slice(&text));
	buffer_free(&text);
}

int main(int argc, char **argv)
{
	struct arguments a = {.command = {.name = "postlog", .failure = 1}, .level = LOG_LEVEL_INFO};

	parse_arguments(argc, argv, &a);
	a.command.echo = isatty(STDERR_FILENO) == 1;
	command_load(&a.command);
	command_open_log(&a.command);
	if (a.tag != NULL)
		log_set_program(slice_str(a.tag));
	if (a.text[0] != NULL)
		log_words(a.level, a.text);
	else
		log_input(a.level);
	command_close(&a.command);
	if (a.level == LOG_LEVEL_FATAL || a.level == LOG_LEVEL_PANIC)
		sleep(1);
	return 0;
}
