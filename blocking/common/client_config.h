/* SPDX-License-Identifier: ISC */
/*
 * client_config - what a table's configuration says, for the types that ask a server.
 *
 *   TYPE:/path/file    lines "name = value" (also "./path"); by the rules of main.cf, but `$`
 * stands for itself TYPE:name          the old form: parameters name_server_host, name_timeout ...
 * of main.cf, expanded
 *
 * Values are asked for by name and type. One that does not fit is remembered as a problem, the
 * first of which client_config_problem gives; the fallback is returned then. So a reader asks for
 * all it needs, and looks once at the end.
 */
#ifndef COMMON_CLIENT_CONFIG_H
#define COMMON_CLIENT_CONFIG_H

#include "base/arena.h"
#include "base/slice.h"

#include <stdint.h>

struct client_config;
struct settings;

/*
 * client_config_open - name: what stands behind "TYPE:". False, and *why, when the file cannot be
 * read or has a line that is not "name = value". settings may be NULL: then only files are known.
 * All in the arena; `settings` must live as long.
 */
bool client_config_open(const struct settings *settings, struct slice name, struct arena *arena,
			struct client_config **config, struct slice *why);
/* client_config_parse - the same from text in memory; `file` is for messages. For tests and
 * fuzzing. */
bool client_config_parse(struct slice text, struct slice file, struct arena *arena,
			 struct client_config **config, struct slice *why);

/* client_config_source - the file, or "main.cf parameters NAME_*": for messages. */
struct slice client_config_source(const struct client_config *config);
/* client_config_path - the file, NUL behind it; absent for the old form. */
struct slice client_config_path(const struct client_config *config);
/* client_config_has - is it given, empty or not? */
bool client_config_has(const struct client_config *config, const char *name);

/* client_config_text - the value without white space around it, NUL behind it; `fallback` (may be
 * NULL: absent). */
struct slice client_config_text(struct client_config *config, const char *name,
				const char *fallback);
/* client_config_number - decimal, min to max. */
int client_config_number(struct client_config *config, const char *name, int fallback, int min,
			 int max);
/* client_config_bool - yes or no. */
bool client_config_bool(struct client_config *config, const char *name, bool fallback);
/* client_config_time - microseconds; "5", "5s", "1m30s" ...; a bare number has the unit `unit` (s m
 * h d w). */
int64_t client_config_time(struct client_config *config, const char *name, int64_t fallback,
			   char unit);
/*
 * client_config_words - the elements of a list, cut at white space and commas; *count of them.
 * `fallback` may be NULL.
 */
const struct slice *client_config_words(struct client_config *config, const char *name,
					const char *fallback, size_t *count);
/*
 * client_config_reject - remember a problem with this parameter: "FILE, line 3: NAME = VALUE:
 * TEXT". For what a reader finds itself.
 */
void client_config_reject(struct client_config *config, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* client_config_problem - the first problem; absent: none. */
struct slice client_config_problem(const struct client_config *config);
/*
 * client_config_unused - a name that the file gives and nobody asked for, beginning with *cursor =
 * 0; false at the end. It may be misspelled. *line is where it stands.
 */
bool client_config_unused(const struct client_config *config, size_t *cursor, struct slice *name,
			  unsigned *line);

#endif
