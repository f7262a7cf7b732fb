/* SPDX-License-Identifier: ISC */
/*
 * config/settings - the typed, immutable snapshot of main.cf that a program works with.
 *
 * One member for each parameter declared in schema/parameters/, of the same name (one that begins
 * with a digit gets an `n` in front: n2bounce_notice_recipient):
 *
 *   bool                                yes/no
 *   int                                 numbers
 *   uint64_t                            sizes in bytes
 *   int64_t                             times in microseconds
 *   struct slice                        all else; `$` expanded (type raw: as written)
 *
 * A NUL follows every slice, so `.p` serves where a system call wants a string. Lists stay text:
 * cut them with settings_next_word(). A snapshot owns its memory; who still holds one across a
 * reload goes on with what it began with.
 */
#ifndef CONFIG_SETTINGS_H
#define CONFIG_SETTINGS_H

#include "base/result.h"
#include "config/problem.h"
#include "config/settings_gen.h"

/*
 * settings_load - read DIR/main.cf and make the snapshot. `overrides` are the arguments of -o,
 * "name=value" or "{ name = value }", the last one wins, all win over the file.
 * RES_OK: *out is set, there may be warnings. RES_TEMP: the file could not be read. RES_PERM:
 * something in it is wrong, and each such thing is in `problems`. *out is NULL unless RES_OK.
 */
enum result settings_load(const char *dir, const struct slice *overrides, size_t count,
			  struct config_problems *problems, struct settings **out);
/*
 * settings_load_for_command - the same, for who neither is a daemon nor starts one: what is wrong with a parameter that only
 * daemons read is a warning, and it has its default. So sendmail takes mail while somebody edits main.cf.
 */
enum result settings_load_for_command(const char *dir, struct config_problems *problems,
				      struct settings **out);
/* settings_parse - the same from text in memory; `file` is for messages. */
enum result settings_parse(struct slice text, const char *dir, const struct slice *overrides,
			   size_t count, struct config_problems *problems, struct settings **out);
/* settings_destroy - sets *settings to NULL; NULL is allowed. */
void settings_destroy(struct settings **settings);

/*
 * settings_get - the expanded value of any name: declared, made from a template
 * (relay_destination_recipient_limit falls back to the template's default), or user-defined in
 * main.cf. False when there is no such name. The value is in the arena.
 */
bool settings_get(const struct settings *settings, struct slice name, struct arena *arena,
		  struct slice *value);
/* settings_has - main.cf or an override gives this name a value. */
bool settings_has(const struct settings *settings, struct slice name);

/*
 * settings_visit_given - each name that main.cf or an override gives a value, and that value expanded, as they are
 * with these `overrides` ("name=value", as of settings_load) on top. Raw parameters, and values that do not
 * expand, are left out. Both texts are gone when `visit` has returned.
 */
typedef void settings_visitor(void *arg, struct slice name, struct slice value);
void settings_visit_given(const struct settings *settings, const struct slice *overrides, size_t count,
			  settings_visitor *visit, void *arg);

/*
 * Values of a template for one transport, e.g. ("relay", "destination_concurrency_limit"). The
 * template must be declared with the type asked for; the value was checked when the snapshot was
 * made, so these cannot fail.
 */
int settings_transport_int(const struct settings *settings, struct slice transport,
			   const char *what);
int64_t settings_transport_time(const struct settings *settings, struct slice transport,
				const char *what);

/* settings_expand - expand text with the snapshot's names; NULL or what is wrong with the text. */
const char *settings_expand(const struct settings *settings, struct slice text, struct arena *arena,
			    struct slice *out);

/*
 * settings_next_word - cut the next element off a list: separated by white space and commas, braces
 * keep what is in them together (`{ check_client_access { inline:{...} } }`), one outer pair of
 * braces is taken off. False at the end.
 */
bool settings_next_word(struct slice *rest, struct slice *word);
/* settings_list_has - is this one of the list's words? ASCII case is ignored. */
bool settings_list_has(struct slice list, struct slice word);

#endif
