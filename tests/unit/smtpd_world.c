/* SPDX-License-Identifier: ISC */
/*
 * The log's writer is replaced here (its object in liblog.a is not linked, for all that smtpd calls
 * of it is defined below), so that tests see the lines, and runs of hundreds of seeds stay silent.
 */
#include "smtpd_world.h"
#include "log/log.h"

#include <stdio.h>
#include <stdlib.h>

#define LOG_MAX ((size_t)4 << 20)

static struct buffer lines = {.limit = LOG_MAX};

void log_event(const struct log_event *event, const void *e)
{
	if (lines.len > LOG_MAX / 2)
		buffer_reset(&lines);
	log_render(event, e, 2, &lines);
	buffer_append_byte(&lines, '\n');
}

static void __attribute__((format(printf, 2, 0)))
text(const char *level, const char *format, va_list ap)
{
	buffer_append_str(&lines, level);
	buffer_vprintf(&lines, format, ap);
	buffer_append_byte(&lines, '\n');
}

#define TEXT_FUNCTION(name, level)         \
	void name(const char *format, ...) \
	{                                  \
		va_list ap;                \
                                           \
		va_start(ap, format);      \
		text(level, format, ap);   \
		va_end(ap);                \
	}

TEXT_FUNCTION(log_info_text, "")
TEXT_FUNCTION(log_warning_text, "warning: ")
TEXT_FUNCTION(log_error_text, "error: ")
TEXT_FUNCTION(log_fatal_text, "fatal: ")

void log_debug_text(const char *format, ...)
{
	(void)format;
}

void log_set_time(int64_t at)
{
	(void)at;
}

/* The rest of the writer: lib/daemon calls it, though never in these tests. */
void log_set_verbose(int level)
{
	(void)level;
}

int log_verbose(void)
{
	return 0;
}

enum result log_open(const struct log_options *options)
{
	(void)options;
	return RES_OK;
}

void log_entered_queue(void)
{
}

void log_start_fiber(void)
{
}

void log_after_fork(void)
{
}

void log_flush(int64_t deadline)
{
	(void)deadline;
}

void log_close(void)
{
}

uint64_t log_dropped(void)
{
	return 0;
}

size_t log_pending(void)
{
	return 0;
}

struct slice world_log(void)
{
	return buffer_slice(&lines);
}

void world_log_reset(void)
{
	buffer_free(&lines);
	lines.limit = LOG_MAX;
}

bool world_logged(const char *part)
{
	return slice_search(world_log(), slice_str(part)) >= 0;
}

static const char base[] = "compatibility_level = 3.6\n"
			   "myhostname = mx.here.test\n"
			   "mydomain = here.test\n"
			   "myorigin = $mydomain\n"
			   "mydestination = here.test, localhost\n"
			   "mynetworks = 192.0.2.0/24\n"
			   "inet_interfaces = 198.51.100.25\n"
			   "local_recipient_maps = inline:{ alice=x, bob=x }\n"
			   "relay_domains = relay.test\n"
			   "virtual_alias_domains = alias.test\n"
			   "virtual_alias_maps = inline:{ info@alias.test=alice }\n"
			   "alias_maps =\n"
			   "recipient_delimiter = +\n";

struct world *world_open(const char *main_cf)
{
	struct world *w = calloc(1, sizeof(*w));
	struct config_problems problems;
	struct slice text_of;

	w->arena = arena_create();
	config_problems_init(&problems, w->arena);
	text_of = arena_printf(w->arena, "%s%s", base, main_cf);
	if (settings_parse(text_of, "/nowhere", NULL, 0, &problems, &w->settings) != RES_OK) {
		for (size_t i = 0; i < problems.count; i++)
			fprintf(stderr, "%s\n",
				config_problem_text(w->arena, &problems.items[i]).p);
		abort();
	}
	w->open = process_open(&w->smtpd, w->settings, w->arena);
	return w;
}

void world_close(struct world *w)
{
	process_close(&w->smtpd);
	settings_destroy(&w->settings);
	arena_destroy(&w->arena);
	free(w);
	world_log_reset();
}
