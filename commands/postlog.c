/* SPDX-License-Identifier: ISC */
/* postlog - log a line, or lines of standard input, as the suite's programs do. postlog(1) */
#include "base/arena.h"
#include "config/directory.h"
#include "config/settings.h"
#include "log/events.h"
#include "os/clock.h"
#include "os/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define LINE_LIMIT 3500

struct arguments {
	const char *config_dir; /* -c, or NULL */
	const char *tag;	/* -t, or NULL */
	enum log_level level;
	int verbose;
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

static bool parse_arguments(int argc, char **argv, struct arguments *a)
{
	int c;

	*a = (struct arguments){.level = LOG_LEVEL_INFO};
	while ((c = getopt(argc, argv, "c:ip:t:v")) > 0) {
		switch (c) {
		case 'c':
			a->config_dir = optarg;
			break;
		case 'i': /* the process id is always there */
			break;
		case 'p':
			if (!parse_level(optarg, &a->level)) {
				fprintf(stderr, "postlog: fatal: unknown severity: %s\n", optarg);
				return false;
			}
			break;
		case 't':
			a->tag = optarg;
			break;
		case 'v':
			a->verbose++;
			break;
		default:
			fprintf(stderr,
				"usage: postlog [-c config_dir] [-i] [-p priority] [-t tag] [-v] [text]\n");
			return false;
		}
	}
	a->text = argv + optind;
	return true;
}

static bool is_guarded(void)
{
	return getuid() != 0 && (getuid() != geteuid() || getgid() != getegid());
}

static bool load_settings(const struct arguments *a, struct arena *arena,
			  struct settings **settings)
{
	struct config_problems problems;
	const char *dir;

	config_problems_init(&problems, arena);
	if (config_directory_for(a->config_dir, getenv("MAIL_CONFIG"), is_guarded(), &problems,
				 &dir) == RES_OK &&
	    settings_load(dir, NULL, 0, &problems, settings) == RES_OK)
		return true;
	for (size_t i = 0; i < problems.count; i++)
		if (problems.items[i].fatal)
			fprintf(stderr, "postlog: fatal: %.*s\n",
				SL_ARG(config_problem_text(arena, &problems.items[i])));
	return false;
}

static void open_log(const struct arguments *a, const struct settings *settings)
{
	struct log_options options = {
	    .syslog_name = settings->syslog_name,
	    .program = SL("postlog"),
	    .hostname = settings->myhostname,
	    .syslog_facility = settings->syslog_facility,
	    .maillog_file = settings->maillog_file,
	    .queue_directory = settings->queue_directory,
	    .service = settings->postlog_service_name,
	    .delay_resolution = settings->delay_logging_resolution_limit,
	    .direct = geteuid() == 0 && getuid() == 0,
	    .stderr_too = isatty(STDERR_FILENO) == 1,
	};

	log_open(&options);
	if (a->tag != NULL)
		log_set_program(slice_str(a->tag));
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
	struct arena *arena = arena_create();
	struct settings *settings = NULL;
	struct arguments a;

	if (!parse_arguments(argc, argv, &a) || !load_settings(&a, arena, &settings))
		return 1;
	open_log(&a, settings);
	if (a.text[0] != NULL)
		log_words(a.level, a.text);
	else
		log_input(a.level);
	log_close();
	if (a.level == LOG_LEVEL_FATAL || a.level == LOG_LEVEL_PANIC)
		sleep(1);
	settings_destroy(&settings);
	arena_destroy(&arena);
	return 0;
}
