/* SPDX-License-Identifier: ISC */
#include "config/master_cf.h"

#include "base/ip.h"
#include "config/level.h"
#include "config/main_cf.h"
#include "config/source.h"

#define WAKEUP_LIMIT 8640000 /* a hundred days */

/* What a line is read with. */
struct line_parser {
	const struct settings *settings;
	struct arena *arena;
	struct config_problems *problems;
	struct slice file;
	unsigned line;
	struct slice text; /* the whole line, for messages */
};

static const char *const type_names[] = {
    [SERVICE_INET] = "inet", [SERVICE_UNIX] = "unix", [SERVICE_UNIX_DGRAM] = "unix-dgram",
    [SERVICE_FIFO] = "fifo", [SERVICE_PASS] = "pass",
};

static const char *const column_names[MASTER_COLUMNS] = {
    "service", "type", "private", "unprivileged", "chroot", "wakeup", "process_limit",
};

const char *service_type_name(enum service_type type)
{
	return type_names[type];
}

/* bad - one column of the line is wrong. */
static bool bad(const struct line_parser *parser, int column, struct slice value,
		const char *allowed)
{
	config_problem_add(parser->problems, true, parser->file, parser->line, SL_NULL,
			   "invalid %s field \"%.*s\" in \"%.*s\" (allowed: %s)",
			   column_names[column], SL_ARG(value), SL_ARG(parser->text), allowed);
	return false;
}

static bool parse_type(const struct line_parser *parser, struct slice value, enum service_type *out)
{
	for (size_t i = 0; i < sizeof(type_names) / sizeof(type_names[0]); i++) {
		if (slice_eq(value, slice_str(type_names[i]))) {
			*out = (enum service_type)i;
			return true;
		}
	}
	return bad(parser, 1, value, "inet unix unix-dgram fifo pass");
}

static bool is_default(struct slice value)
{
	return slice_eq(value, SL("-"));
}

static bool parse_flag(const struct line_parser *parser, int column, struct slice value,
		       bool fallback, bool *out)
{
	*out = is_default(value) ? fallback : slice_eq(value, SL("y"));
	if (is_default(value) || *out || slice_eq(value, SL("n")))
		return true;
	return bad(parser, column, value, "y n -");
}

static bool parse_wakeup(const struct line_parser *parser, struct slice value,
			 struct master_service *service)
{
	struct slice digits = value;
	int64_t seconds = 0;

	service->wakeup_if_used = slice_ends(value, SL("?"));
	if (service->wakeup_if_used)
		digits = slice_sub(value, 0, value.n - 1);
	if (is_default(value))
		seconds = 0;
	else if (!slice_i64(digits, &seconds) || seconds < 0 || seconds > WAKEUP_LIMIT)
		return bad(parser, 5, value, "seconds, seconds?, -");
	service->wakeup = (int)seconds;
	return true;
}

static bool parse_limit(const struct line_parser *parser, struct slice value,
			struct master_service *service)
{
	int64_t limit = parser->settings ? parser->settings->default_process_limit : 0;

	service->process_limit_default = is_default(value);
	if (!is_default(value) && (!slice_i64(value, &limit) || limit < 0 || limit > INT32_MAX))
		return bad(parser, 6, value, "a number, 0 for no limit, -");
	service->process_limit = (int)limit;
	return true;
}

/* parse_endpoint - [host:]port, an IPv6 address in brackets. */
static bool parse_endpoint(const struct line_parser *parser, struct slice name,
			   struct master_service *service)
{
	ssize_t colon = slice_rfind(name, ':');
	struct slice host = colon < 0 ? SL_NULL : slice_sub(name, 0, (size_t)colon);
	struct ip_addr address;
	uint64_t number;

	service->port = colon < 0 ? name : slice_from(name, (size_t)colon + 1);
	if (host.n >= 2 && host.p[0] == '[' && host.p[host.n - 1] == ']')
		host = slice_sub(host, 1, host.n - 1);
	else if (slice_find(host, ':') >= 0 && !ip_parse(host, &address))
		return bad(parser, 0, name, "port, host:port, [ipv6]:port");
	service->host = host.n > 0 ? arena_dup(parser->arena, host) : SL_NULL;
	if (service->port.n == 0 || slice_find(service->port, ']') >= 0 ||
	    (slice_u64(service->port, &number) && (number == 0 || number > 65535)))
		return bad(parser, 0, name,
			   "port, host:port, [ipv6]:port; port 1 to 65535 or a name");
	service->port = arena_dup(parser->arena, service->port);
	return true;
}

static bool parse_name(const struct line_parser *parser, struct slice name,
		       struct master_service *service)
{
	service->name = name;
	if (service->type == SERVICE_INET)
		return parse_endpoint(parser, name, service);
	if (slice_find(name, '/') >= 0 || slice_eq(name, SL(".")) || slice_eq(name, SL("..")))
		return bad(parser, 0, name, "a file name without a slash");
	return true;
}

/* take_word - up to white space; `{ ... }` is one word, which may hold white space. */
static bool take_word(const struct line_parser *parser, struct slice *rest, struct slice *word)
{
	size_t depth = 0;
	size_t n = 0;

	while (rest->n > 0 && ascii_isspace(rest->p[0]))
		*rest = slice_from(*rest, 1);
	for (; n < rest->n && (depth > 0 || !ascii_isspace(rest->p[n])); n++) {
		if (rest->p[n] == '{' && (depth > 0 || n == 0))
			depth++;
		else if (rest->p[n] == '}' && depth > 0)
			depth--;
	}
	if (depth > 0)
		config_problem_add(parser->problems, true, parser->file, parser->line, SL_NULL,
				   "a } is missing in \"%.*s\"", SL_ARG(*rest));
	*word = slice_sub(*rest, 0, n);
	*rest = slice_from(*rest, n);
	return n > 0 && depth == 0;
}

/* override_of - the argument of -o as "name=value"; the absent slice when it is none. */
static struct slice override_of(struct arena *arena, struct slice word)
{
	struct slice name;
	struct slice value;

	if (main_cf_split(word, &name, &value))
		return SL_NULL;
	return arena_printf(arena, "%.*s=%.*s", SL_ARG(name), SL_ARG(value));
}

/* wants_override - -o, or an option that ends in it: -vo. What follows is name=value. */
static bool wants_override(struct slice arg)
{
	if (!slice_starts(arg, SL("-")) || !slice_ends(arg, SL("o")))
		return false;
	for (size_t i = 1; i + 1 < arg.n; i++)
		if (arg.p[i] != 'v' && arg.p[i] != 'D')
			return false;
	return true;
}

/* count_options - how many arguments are options or belong to one: what follows is the program's own. */
static size_t count_options(const struct master_service *service)
{
	size_t i = 0;

	while (i < service->arg_count && service->args[i].n > 1 && service->args[i].p[0] == '-')
		i += wants_override(service->args[i]) ? 2 : 1;
	return i;
}

bool master_service_override(const struct master_service *service, size_t *at, struct slice *name,
			     struct slice *value)
{
	size_t end = count_options(service);

	while (*at < end && *at < service->arg_count) {
		size_t i = (*at)++;

		if (i > 0 && wants_override(service->args[i - 1]) &&
		    main_cf_split(service->args[i], name, value) == NULL)
			return true;
		if (slice_starts(service->args[i], SL("-o")) && service->args[i].n > 2 &&
		    main_cf_split(slice_from(service->args[i], 2), name, value) == NULL)
			return true;
	}
	return false;
}

static bool add_argument(const struct line_parser *parser, struct master_service *service,
			 struct slice word)
{
	/* An -o that has not got its argument yet is the last one counted. */
	bool after_o = count_options(service) > service->arg_count;

	if (word.n >= 2 && word.p[0] == '{' && word.p[word.n - 1] == '}')
		word = slice_trim(slice_sub(word, 1, word.n - 1));
	if (after_o) {
		struct slice override = override_of(parser->arena, word);

		if (slice_is_null(override)) {
			config_problem_add(parser->problems, true, parser->file, parser->line,
					   service->name,
					   "bad argument \"%.*s\" of -o (allowed: name=value, "
					   "{ name = value })",
					   SL_ARG(word));
			return false;
		}
		word = override;
	}
	service->args[service->arg_count++] = arena_dup(parser->arena, word);
	return true;
}

static bool parse_command(const struct line_parser *parser, struct slice rest,
			  struct master_service *service)
{
	size_t fatal = parser->problems->fatal;
	struct slice count = rest;
	struct slice word;
	size_t room = 0;

	while (slice_next(&count, " \t\r\n\v\f", &word))
		room++;
	service->args = ARENA_ARRAY(parser->arena, room + 1, struct slice);
	if (!take_word(parser, &rest, &word))
		return false;
	service->command = arena_dup(parser->arena, word);
	if (slice_find(word, '/') >= 0 || word.p[0] == '-' || word.p[0] == '{') {
		config_problem_add(parser->problems, true, parser->file, parser->line,
				   service->name,
				   "bad command \"%.*s\" (allowed: the name of a program in "
				   "daemon_directory)",
				   SL_ARG(word));
		return false;
	}
	while (take_word(parser, &rest, &word))
		if (!add_argument(parser, service, word))
			return false;
	if (count_options(service) > service->arg_count)
		config_problem_add(parser->problems, true, parser->file, parser->line,
				   service->name, "-o without name=value behind it");
	return parser->problems->fatal == fatal;
}

/* default_chroot - Postfix's `-` once meant y; compatibility level 1 and up it means n. */
static bool default_chroot(const struct settings *settings)
{
	int64_t level;
	int64_t one;

	return settings && compatibility_level_parse(settings->compatibility_level, &level) &&
	       compatibility_level_parse(SL("1"), &one) && level < one;
}

static bool parse_line(const struct line_parser *parser, struct master_service *service)
{
	struct slice rest = parser->text;
	struct slice *column = service->columns;

	*service = (struct master_service){.line = parser->line};
	column = service->columns;
	for (int i = 0; i < MASTER_COLUMNS; i++)
		if (!slice_next(&rest, " \t\r\n\v\f", &column[i]))
			break;
	if (slice_trim(rest).n == 0) {
		config_problem_add(parser->problems, true, parser->file, parser->line, SL_NULL,
				   "bad field count in \"%.*s\" (allowed: service type private "
				   "unprivileged chroot wakeup process_limit command [arguments])",
				   SL_ARG(parser->text));
		return false;
	}
	return parse_type(parser, column[1], &service->type) &&
	       parse_name(parser, column[0], service) &&
	       parse_flag(parser, 2, column[2], true, &service->private) &&
	       parse_flag(parser, 3, column[3], true, &service->unprivileged) &&
	       parse_flag(parser, 4, column[4], default_chroot(parser->settings),
			  &service->chroot) &&
	       parse_wakeup(parser, column[5], service) &&
	       parse_limit(parser, column[6], service) && parse_command(parser, rest, service);
}

static struct master_service *new_service(struct master_cf *cf, size_t *size, struct arena *arena)
{
	if (cf->count == *size) {
		size_t more = *size ? 2 * *size : 32;
		struct master_service *services = ARENA_ARRAY(arena, more, struct master_service);

		if (cf->count > 0)
			memcpy(services, cf->services, cf->count * sizeof(*services));
		cf->services = services;
		*size = more;
	}
	return &cf->services[cf->count];
}

/* find_line - the service of that name and type; NULL when there is none yet. */
static struct master_service *find_line(const struct master_cf *cf, struct slice name,
					enum service_type type)
{
	for (size_t i = 0; i < cf->count; i++)
		if (cf->services[i].type == type && slice_eq(cf->services[i].name, name))
			return &cf->services[i];
	return NULL;
}

/* keep - count the service; it takes the place of one of that name and type that stands before it. */
static void keep(const struct line_parser *parser, struct master_cf *cf,
		 const struct master_service *service)
{
	struct master_service *old = find_line(cf, service->name, service->type);

	if (old == NULL || parser->settings == NULL) {
		cf->count++;
		return;
	}
	config_problem_add(parser->problems, false, parser->file, parser->line, SL_NULL,
			   "duplicate service \"%.*s %s\": this line counts, and line %u does not",
			   SL_ARG(service->name), service_type_name(service->type), old->line);
	*old = *service;
}

enum result master_cf_parse(struct slice text, struct slice file, const struct settings *settings,
			    struct arena *arena, struct config_problems *problems,
			    struct master_cf *out)
{
	struct line_parser parser = {
	    .settings = settings, .arena = arena, .problems = problems, .file = file};
	size_t fatal = problems->fatal;
	struct line_reader reader;
	struct logical_line line;
	size_t size = 0;

	*out = (struct master_cf){.file = file};
	line_reader_init(&reader, text);
	while (line_reader_next(&reader, arena, &line)) {
		struct master_service *service = new_service(out, &size, arena);
		bool has_nul = slice_find(line.text, '\0') >= 0;

		parser.line = line.first;
		parser.text = line.text;
		if (has_nul || ascii_isspace(line.text.p[0]))
			config_problem_add(problems, has_nul, file, line.first, SL_NULL, "%s: \"%.*s\"",
					   has_nul ? "a NUL byte in the line" : LINE_BEGINS_WITH_SPACE,
					   SL_ARG(line.text));
		else if (parse_line(&parser, service))
			keep(&parser, out, service);
	}
	return problems->fatal == fatal ? RES_OK : RES_PERM;
}

enum result master_cf_load(const char *dir, const struct settings *settings, struct arena *arena,
			   struct config_problems *problems, struct master_cf *out)
{
	struct slice file;
	struct slice text = SL_NULL;
	enum result rc;

	*out = (struct master_cf){.count = 0};
	rc = config_read(dir, "master.cf", arena, problems, &file, &text);
	if (rc != RES_OK)
		return rc;
	return master_cf_parse(text, file, settings, arena, problems, out);
}

const struct master_service *master_cf_find(const struct master_cf *cf, struct slice name,
					    enum service_type type)
{
	return find_line(cf, name, type);
}
