/* SPDX-License-Identifier: ISC */
#include "base/check.h"
#include "commands/adopt.h"
#include "commands/postrider.h"
#include "config/values.h"
#include "os/file.h"

#include <stdlib.h>
#include <string.h>

/* Types of tables that are made from a text beside them, and types that no library here can read. */
static const char *const built_types[] = {"hash", "btree", "lmdb", "cdb"};
static const char *const dead_types[] = {"dbm", "sdbm", "nis", "nisplus", "netinfo"};

static bool in_list(const char *const *list, size_t count, struct slice word)
{
	for (size_t i = 0; i < count; i++)
		if (slice_eq(word, slice_str(list[i])))
			return true;
	return false;
}

/* What a value is, and where. */
struct place {
	struct slice file;
	unsigned line;
	struct slice parameter;
};

/* is_cache - a database that the suite writes for itself. */
static bool is_cache(struct slice parameter)
{
	return slice_ends(parameter, SL("_cache_database")) || slice_ends(parameter, SL("_cache_map")) ||
	       slice_eq(parameter, SL("address_verify_map"));
}

static bool is_file(const char *path)
{
	struct stat st;

	return os_fstatat(AT_FDCWD, path, &st, 0) == 0 && S_ISREG(st.st_mode);
}

/* no_source - only the built file is there, or nothing is. */
static void no_source(struct adopt *a, const struct place *at, struct slice type, struct slice path)
{
	bool db = is_file(arena_printf(a->arena, "%.*s.db", SL_ARG(path)).p);

	if (db)
		config_problem_add(&a->attention, false, at->file, at->line, at->parameter,
				   "there is %.*s.db, but no text: write it with Postfix's `postmap -s "
				   "%.*s:%.*s`, then run postmap here",
				   SL_ARG(path), SL_ARG(type), SL_ARG(path));
	else
		config_problem_add(&a->attention, false, at->file, at->line, at->parameter,
				   "%.*s does not exist", SL_ARG(path));
}

static void plan_table(struct adopt *a, const struct place *at, struct slice type, struct slice path)
{
	struct slice to = adopt_translate(a, path);
	struct slice spec = arena_printf(a->arena, "%.*s:%.*s", SL_ARG(type), SL_ARG(to));
	struct adopt_table *t;

	if (map_get(a->table_names, spec) != NULL)
		return;
	map_put(a->table_names, spec, a);
	if (!is_file(arena_dup(a->arena, path).p)) {
		no_source(a, at, type, path);
		return;
	}
	if (a->table_count == a->table_size) {
		a->table_size = a->table_size ? 2 * a->table_size : 16;
		a->tables = reallocarray(a->tables, a->table_size, sizeof(*a->tables));
		if (a->tables == NULL)
			out_of_memory();
	}
	t = &a->tables[a->table_count++];
	*t = (struct adopt_table){.spec = spec, .old = path, .file = at->file,
				  .line = at->line, .parameter = at->parameter};
	t->aliases = slice_eq(at->parameter, SL("alias_maps")) || slice_eq(at->parameter, SL("alias_database"));
}

/* end_of_path - where a table's name ends in a list. */
static size_t end_of_path(struct slice text)
{
	size_t n = 0;

	while (n < text.n && strchr(" \t\r\n,}", text.p[n]) == NULL)
		n++;
	return n;
}

/* take - `text` begins behind a "type:". */
static void take(struct adopt *a, const struct place *at, struct slice type, struct slice text)
{
	if (in_list(dead_types, sizeof(dead_types) / sizeof(dead_types[0]), type))
		config_problem_add(&a->attention, false, at->file, at->line, at->parameter,
				   "tables of type %.*s cannot be read here: make a text of it, and use lmdb",
				   SL_ARG(type));
	else if (text.n > 0 && text.p[0] == '/' &&
		 in_list(built_types, sizeof(built_types) / sizeof(built_types[0]), type))
		plan_table(a, at, type, slice_sub(text, 0, end_of_path(text)));
}

/* scan - every "type:" in a value, wherever it stands: in lists, in braces, behind proxy:. */
static void scan(struct adopt *a, const struct place *at, struct slice value)
{
	size_t word = 0; /* where the present word began */

	if (is_cache(at->parameter))
		return;
	for (size_t i = 0; i < value.n; i++) {
		if (value.p[i] == ':')
			take(a, at, slice_sub(value, word, i), slice_from(value, i + 1));
		if (!ascii_isalnum(value.p[i]))
			word = i + 1;
	}
}

static struct slice expanded(struct adopt *a, const struct config_values *values, struct slice text)
{
	struct slice out;

	return values_expand(values, text, a->arena, &out) == NULL ? out : text;
}

static void scan_service(struct adopt *a, const struct config_values *values, const struct master_cf *master,
			 const struct master_service *s)
{
	struct slice name, value;

	for (size_t i = 0; i + 1 < s->arg_count; i++) {
		if (!slice_eq(s->args[i], SL("-o")) || main_cf_split(s->args[i + 1], &name, &value) != NULL)
			continue;
		scan(a, &(struct place){master->file, s->line, name}, expanded(a, values, value));
	}
}

void adopt_plan_tables(struct adopt *a, const struct config_values *values, struct slice main_path,
		       const struct master_cf *master)
{
	for (size_t i = 0; i < values->count; i++) {
		const struct given_value *given = &values->given[i];

		if (given->line > 0)
			scan(a, &(struct place){main_path, given->line, given->name},
			     expanded(a, values, given->value));
	}
	for (size_t i = 0; i < master->count; i++)
		scan_service(a, values, master, &master->services[i]);
}

/* ---- building */

void adopt_build_tables(struct adopt *a, const char *command_directory)
{
	for (size_t i = 0; i < a->table_count; i++) {
		const struct adopt_table *t = &a->tables[i];
		const char *program = arena_printf(a->arena, "%s/%s", command_directory,
						   t->aliases ? "postalias" : "postmap").p;
		char *argv[] = {(char *)(uintptr_t)program, (char *)"-c", (char *)(uintptr_t)a->to,
				(char *)(uintptr_t)arena_dup(a->arena, t->spec).p, NULL};

		if (postrider_run(NULL, argv) == 0)
			a->built++;
		else
			config_problem_add(&a->attention, false, t->file, t->line, t->parameter,
					   "could not be built: %s %.*s", argv[0], SL_ARG(t->spec));
	}
}
