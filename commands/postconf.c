/* SPDX-License-Identifier: ISC */
/* postconf - show and edit the configuration; postconf(1). */
#include "commands/postconf.h"

#include "config/directory.h"
#include "config/source.h"
#include "os/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define OUTPUT_LIMIT ((size_t)64 << 20)
#define OVERRIDES_LIMIT 256
#define OPTIONS "aAbc:C:defFhHjlmMno:pPqtT:vxX#"

static void __attribute__((format(printf, 2, 0)))
complain(const char *kind, const char *format, va_list ap)
{
	fprintf(stderr, "postconf: %s: ", kind);
	vfprintf(stderr, format, ap);
	fputc('\n', stderr);
}

void postconf_warn(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	complain("warning", format, ap);
	va_end(ap);
}

void postconf_fatal(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	complain("fatal", format, ap);
	va_end(ap);
	exit(1);
}

struct request {
	bool given[128]; /* which options, by their letter */
	const char *dir;
	const char *tls_mode;
	struct slice overrides[OVERRIDES_LIMIT];
	size_t override_count;
};

static _Noreturn void usage(void)
{
	postconf_fatal(
	    "usage: postconf [-a (server SASL types)] [-A (client SASL types)] [-b (bounce "
	    "templates)] "
	    "[-c config_dir] [-C param_class] [-d (parameter defaults)] [-e (edit configuration)] "
	    "[-f (fold lines)] [-F (master.cf fields)] [-h (no names)] [-H (no values)] [-j "
	    "(JSON)] "
	    "[-l (lock types)] [-m (map types)] [-M (master.cf)] [-n (non-default parameters)] [-o "
	    "name=value (override parameter value)] [-p (main.cf, default)] [-P (master.cf "
	    "parameters)] "
	    "[-q (no warnings)] [-t (bounce templates)] [-T compile-version|run-version|"
	    "public-key-algorithms] [-v (verbose)] [-x (expand parameter values)] [-X (exclude)] "
	    "[-# (comment-out)] [name...]");
}

/* ---- options */

static unsigned parse_classes(const char *text)
{
	static const struct {
		const char *name;
		unsigned bits;
	} classes[] = {{"builtin", CLASS_BUILTIN},
		       {"service", CLASS_SERVICE},
		       {"user", CLASS_USER},
		       {"all", CLASS_ALL}};
	struct slice rest = slice_str(text);
	struct slice word;
	unsigned bits = 0;

	while (slice_next(&rest, ", \t", &word)) {
		size_t i = 0;

		while (i < sizeof(classes) / sizeof(classes[0]) &&
		       !slice_caseeq(word, slice_str(classes[i].name)))
			i++;
		if (i == sizeof(classes) / sizeof(classes[0]))
			postconf_fatal(
			    "unknown -C option value \"%.*s\" in \"%s\" (allowed: builtin "
			    "service user all)",
			    SL_ARG(word), text);
		bits |= classes[i].bits;
	}
	return bits;
}

static void take_option(struct postconf *pc, struct request *request, int option)
{
	switch (option) {
	case 'c':
		request->dir = optarg;
		break;
	case 'C':
		pc->classes = parse_classes(optarg);
		break;
	case 'o':
		if (request->override_count == OVERRIDES_LIMIT)
			postconf_fatal("more than %d -o options", OVERRIDES_LIMIT);
		request->overrides[request->override_count++] = slice_str(optarg);
		break;
	case 'T':
		request->tls_mode = optarg;
		break;
	case '?':
		usage();
	}
	request->given[option] = true;
}

/* only_one - at most one of these options goes with the others. */
static void only_one(const struct request *request, const char *letters)
{
	char first = '\0';

	for (const char *p = letters; *p != '\0'; p++) {
		if (!request->given[(unsigned char)*p])
			continue;
		if (first != '\0')
			postconf_fatal("specify one of -%c -%c", first, *p);
		first = *p;
	}
}

static void none_with(const struct request *request, char mode, const char *letters)
{
	for (const char *p = letters; *p != '\0' && request->given[(unsigned char)mode]; p++)
		if (request->given[(unsigned char)*p])
			postconf_fatal("with option -%c, do not specify -%c", mode, *p);
}

static void check_options(const struct request *request)
{
	only_one(request, "aAbFlmMpPtT");
	only_one(request, "denX#");
	only_one(request, "hH");
	none_with(request, 'M', "dnhHC");
	none_with(request, 'F', "dnX#C");
	none_with(request, 'P', "dn#C");
	for (const char *p = "aAbtlmT"; *p != '\0'; p++)
		none_with(request, *p, "deCfhHnoxX#");
}

static enum postconf_mode mode_of(const struct request *request)
{
	static const struct {
		char letter;
		enum postconf_mode mode;
	} modes[] = {{'a', MODE_SASL_SERVER}, {'A', MODE_SASL_CLIENT}, {'b', MODE_NOTICE},
		     {'t', MODE_TEMPLATE},    {'l', MODE_LOCKS},       {'m', MODE_MAPS},
		     {'M', MODE_SERVICES},    {'F', MODE_FIELDS},      {'P', MODE_PARAMETERS},
		     {'T', MODE_TLS}};

	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		if (request->given[(unsigned char)modes[i].letter])
			return modes[i].mode;
	return MODE_MAIN;
}

/* edit_of - an argument with `=` means -e, as in Postfix since 2.8. */
static enum edit_action edit_of(const struct postconf *pc, const struct request *request,
				char **args)
{
	if (request->given['X'])
		return EDIT_DELETE;
	if (request->given['#'])
		return EDIT_COMMENT;
	if (request->given['e'])
		return EDIT_SET;
	if (pc->mode > MODE_PARAMETERS || request->given['n'] || request->given['d'])
		return EDIT_NONE;
	for (; *args; args++)
		if (strchr(*args, '='))
			return EDIT_SET;
	return EDIT_NONE;
}

static void take_options(struct postconf *pc, struct request *request, int argc, char **argv)
{
	const bool *given = request->given;
	int option;

	/* `+`: what follows the first name is a name, as in Postfix. */
	argv[0] = (char *)"postconf"; /* getopt complains under it */
	while ((option = getopt(argc, argv, "+" OPTIONS)) >= 0)
		take_option(pc, request, option);
	check_options(request);
	pc->defaults = given['d'];
	pc->only_given = given['n'];
	pc->fold = given['f'];
	pc->values_only = given['h'];
	pc->names_only = given['H'];
	pc->json = given['j'];
	pc->quiet = given['q'];
	pc->expand = given['x'];
	pc->mode = mode_of(request);
	pc->edit = edit_of(pc, request, argv + optind);
	if (pc->mode == MODE_FIELDS && pc->edit > EDIT_SET)
		postconf_fatal("with option -F, do not specify -X or -#");
}

/* ---- reading */

/* report - a file's problems, fatal ones last, for they end the program. */
static void report(struct postconf *pc)
{
	postconf_warn_all(&pc->problems, true);
	for (size_t i = 0; i < pc->problems.count; i++)
		if (pc->problems.items[i].fatal)
			postconf_fatal("%s",
				       config_problem_text(pc->arena, &pc->problems.items[i]).p);
	pc->problems.count = 0;
}

static void load_main(struct postconf *pc, const struct request *request)
{
	struct slice text = SL_NULL;

	if (!pc->defaults) {
		(void)config_read(pc->dir, "main.cf", pc->arena, &pc->problems, &pc->main_cf.file,
				  &text);
		report(pc);
		main_cf_parse(text, pc->main_cf.file, pc->arena, &pc->problems, &pc->main_cf);
	}
	values_init(&pc->values, pc->arena, &pc->main_cf, pc->defaults ? CONFIG_DIRECTORY : pc->dir,
		    request->overrides, request->override_count, &pc->problems);
	report(pc);
}

/* load_master - one that is missing or wrong is told, and matters only to who asked for it. */
static void load_master(struct postconf *pc)
{
	(void)master_cf_load(pc->dir, NULL, pc->arena, &pc->problems, &pc->master_cf);
	if (pc->mode == MODE_MAIN && pc->problems.fatal > 0) {
		pc->master_cf.count = 0;
		for (size_t i = 0; i < pc->problems.count; i++)
			pc->problems.items[i].fatal = false;
		if (!pc->quiet && !pc->defaults)
			postconf_warn_all(&pc->problems, true);
	} else {
		report(pc);
	}
	pc->problems.count = 0;
	pc->problems.fatal = 0;
}

/* ---- showing */

void postconf_flush(struct postconf *pc)
{
	if (buffer_overflowed(&pc->out))
		postconf_fatal("the output is too large");
	if (os_write_full(STDOUT_FILENO, pc->out.data, pc->out.len) < 0)
		postconf_fatal("write to standard output: %m");
}

static void show_main(struct postconf *pc, char **names, int count)
{
	if (count > 0)
		postconf_show_names(pc, names, count);
	else
		postconf_show_all(pc);
}

static void run(struct postconf *pc, const struct request *request, char **args, int count)
{
	if (pc->edit != EDIT_NONE && pc->mode == MODE_MAIN) {
		postconf_edit_main(pc, args, count);
	} else if (pc->edit != EDIT_NONE) {
		postconf_edit_master(pc, args, count);
	} else if (pc->mode == MODE_NOTICE || pc->mode == MODE_TEMPLATE) {
		load_main(pc, request);
		postconf_show_notices(pc, args, count);
		postconf_flush(pc);
	} else if (pc->mode > MODE_PARAMETERS) {
		postconf_show_facts(pc, request->tls_mode);
		postconf_flush(pc);
	} else {
		load_main(pc, request);
		load_master(pc);
		if (pc->defaults) {
			show_main(pc, args, count);
			postconf_flush(pc);
		} else {
			postconf_with_warnings(
			    pc, pc->mode == MODE_MAIN ? show_main : postconf_show_master, args,
			    count);
		}
	}
}

int main(int argc, char **argv)
{
	struct postconf pc = {.arena = arena_create(), .classes = CLASS_ALL};
	struct request request = {.dir = NULL};
	const char *environment = getenv("MAIL_CONFIG");

	buffer_init(&pc.out, OUTPUT_LIMIT);
	config_problems_init(&pc.problems, pc.arena);
	take_options(&pc, &request, argc, argv);
	pc.dir_given = request.dir != NULL || environment != NULL;
	if (config_directory_for(request.dir, environment, false, &pc.problems, &pc.dir) != RES_OK)
		report(&pc);
	run(&pc, &request, argv + optind, argc - optind);
	if (pc.values.map)
		values_free(&pc.values);
	buffer_free(&pc.out);
	arena_destroy(&pc.arena);
	return 0;
}
