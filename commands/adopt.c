/* SPDX-License-Identifier: ISC */
#include "commands/adopt.h"
#include "config/source.h"
#include "config/usage.h"
#include "master/master.h"
#include "os/file.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int __attribute__((format(printf, 1, 2))) fatal(const char *format, ...)
{
	va_list ap;

	fprintf(stderr, "postrider: fatal: ");
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fputc('\n', stderr);
	return 1;
}

/* ---- reading and judging */

static bool read_old(struct adopt *a, const char *name, struct slice *path, struct slice *text)
{
	struct config_problems problems;

	config_problems_init(&problems, a->arena);
	if (config_read(a->from, name, a->arena, &problems, path, text) == RES_OK)
		return true;
	for (size_t i = 0; i < problems.count; i++)
		fprintf(stderr, "postrider: fatal: %.*s\n",
			SL_ARG(config_problem_text(a->arena, &problems.items[i])));
	return false;
}

/* judge_services - with the old settings, or, when they are not valid, with none. */
static void judge_services(struct adopt *a, struct slice main_text, struct slice master_text)
{
	struct configuration *conf = NULL;

	(void)configuration_parse(a->from, main_text, master_text, &a->attention, &conf);
	if (conf == NULL)
		(void)configuration_parse(a->from, SL(""), master_text, &a->attention, &conf);
	if (conf == NULL)
		return;
	for (size_t i = 0; i < conf->cf.count; i++)
		a->services_here += conf->cf.services[i].line > 0; /* the others are our own */
	configuration_destroy(&conf);
}

/* judge - all that a start with this configuration would complain of, and all that it would not do. */
static bool judge(struct adopt *a, struct slice main_path, struct slice main_old, struct slice master_old)
{
	struct slice kept = adopt_main_cf(a, main_old, main_path);
	struct config_problems told;
	struct config_values values;
	struct master_cf services;
	struct main_cf cf;
	struct usage usage;

	config_problems_init(&told, a->arena);
	a->main_text = adopt_translate(a, kept);
	a->master_text = adopt_translate(a, master_old);
	judge_services(a, kept, master_old);
	main_cf_parse(kept, main_path, a->arena, &told, &cf);
	values_init(&values, a->arena, &cf, a->from, NULL, 0, &told);
	(void)master_cf_parse(master_old, arena_printf(a->arena, "%s/master.cf", a->from), NULL, a->arena, &told,
			      &services);
	a->services = services.count;
	usage_find(&values, main_path, &services, a->arena, &a->attention, &usage);
	usage_unused(&usage, &a->attention);
	usage_deprecated(&usage, &a->attention);
	usage_without_effect(&usage, &a->attention);
	usage_free(&usage);
	adopt_plan_tables(a, &values, main_path, &services);
	values_free(&values);
	return adopt_plan_files(a);
}

/* ---- telling */

static void print_problems(const struct adopt *a, const char *title, const struct config_problems *all,
			   bool fatal)
{
	bool titled = false;

	for (size_t i = 0; i < all->count; i++) {
		if (all->items[i].fatal != fatal)
			continue;
		if (!titled)
			printf("\n%s\n", title);
		titled = true;
		printf("  %.*s\n", SL_ARG(config_problem_text(a->arena, &all->items[i])));
	}
}

static void report(const struct adopt *a)
{
	const char *would = a->pretend ? " would be" : "";

	printf("%s -> %s%s\n\nCarries over:\n", a->from, a->to, a->pretend ? " (nothing is written, for -n)" : "");
	printf("  %zu lines of main.cf\n", a->parameters);
	printf("  %zu services of master.cf, of which %zu run here\n", a->services, a->services_here);
	printf("  %zu other files%s copied\n", a->file_count, would);
	printf("  %zu tables%s built\n", a->pretend ? a->table_count : a->built, would);
	for (size_t i = 0; i < a->table_count; i++)
		printf("    %.*s\n", SL_ARG(a->tables[i].spec));
	print_problems(a, "Left out, since it describes Postfix's own installation:", &a->left_out, false);
	print_problems(a, "Must be mended before it can start:", &a->attention, true);
	print_problems(a, "Needs attention:", &a->attention, false);
	printf("\nMail in Postfix's queue stays there: let Postfix deliver it before it is stopped for good.\n");
	if (!a->pretend)
		printf("Next: postrider -c %s check\n", a->to);
}

/* ---- writing */

/* is_free - the target has no main.cf, or the one that was installed with us, or the very same. */
static bool is_free(struct adopt *a)
{
	const char *names[] = {"main.cf", "main.cf.proto"};
	struct slice text[2], path;
	struct config_problems ignored;
	struct stat st;

	config_problems_init(&ignored, a->arena);
	if (a->force || os_fstatat(AT_FDCWD, arena_printf(a->arena, "%s/main.cf", a->to).p, &st, 0) < 0)
		return true;
	for (size_t i = 0; i < 2; i++)
		if (config_read(a->to, names[i], a->arena, &ignored, &path, &text[i]) != RES_OK)
			return false;
	return slice_eq(text[0], text[1]);
}

static enum result write_all(struct adopt *a)
{
	if (os_mkdirat(AT_FDCWD, a->to, 0755) < 0 && errno != EEXIST) {
		fatal("make %s: %s", a->to, strerror(errno));
		return RES_TEMP;
	}
	if (adopt_copy_files(a) != RES_OK || adopt_write(a, "master.cf", a->master_text) != RES_OK ||
	    adopt_write(a, "main.cf", a->main_text) != RES_OK)
		return RES_TEMP;
	fflush(stdout);
	adopt_build_tables(a, COMMAND_DIRECTORY);
	return RES_OK;
}

static int adopt_all(struct adopt *a)
{
	struct slice main_path, master_path, main_old, master_old;

	if (!read_old(a, "main.cf", &main_path, &main_old) || !read_old(a, "master.cf", &master_path, &master_old))
		return 1;
	if (!a->pretend && !is_free(a))
		return fatal("%s/main.cf is there already, and was changed: -f overwrites it", a->to);
	if (!judge(a, main_path, main_old, master_old))
		return 1;
	if (!a->pretend && write_all(a) != RES_OK)
		return 1;
	report(a);
	return 0;
}

/* ---- arguments */

static int usage(void)
{
	fprintf(stderr, "usage: postrider [-c config_dir] adopt [-fn] directory\n");
	return 1;
}

/* plain_path - absolute, without a / at its end. */
static const char *plain_path(struct arena *arena, const char *path)
{
	char *real = realpath(path, NULL);
	const char *copy;

	if (real == NULL)
		return NULL;
	copy = arena_dup(arena, slice_str(real)).p;
	free(real);
	return copy;
}

int adopt_main(int count, char **words, const char *target)
{
	struct adopt a = {.arena = arena_create(), .to = target};
	int option, status = 1;

	optind = 1;
	while ((option = getopt(count, words, "+fn")) != -1) {
		if (option == '?')
			return usage();
		a.force = a.force || option == 'f';
		a.pretend = a.pretend || option == 'n';
	}
	if (count - optind != 1)
		return usage();
	config_problems_init(&a.attention, a.arena);
	config_problems_init(&a.left_out, a.arena);
	a.table_names = map_create();
	a.from = plain_path(a.arena, words[optind]);
	if (a.from == NULL)
		fatal("%s: %s", words[optind], strerror(errno));
	else if (plain_path(a.arena, target) != NULL && strcmp(plain_path(a.arena, target), a.from) == 0)
		fatal("%s is where the adopted configuration would be written", a.from);
	else
		status = adopt_all(&a);
	free(a.files);
	free(a.tables);
	map_destroy(&a.table_names);
	arena_destroy(&a.arena);
	return status;
}
