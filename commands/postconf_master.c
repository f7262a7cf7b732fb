/* SPDX-License-Identifier: ISC */
/* postconf_master - the services of master.cf, in columns. */
#include "commands/postconf.h"

/* Where columns 2 to 8 begin, if what stands before them leaves room. */
static const size_t columns[MASTER_COLUMNS] = {11, 17, 25, 33, 41, 49, 57};

/* matches - the pattern is NAME, NAME/TYPE, either part may be `*`. */
static bool matches(const struct master_service *service, struct slice pattern)
{
	ssize_t slash = slice_rfind(pattern, '/');
	struct slice name = slash < 0 ? pattern : slice_sub(pattern, 0, (size_t)slash);
	struct slice type = slash < 0 ? SL("*") : slice_from(pattern, (size_t)slash + 1);

	return (slice_eq(name, SL("*")) || slice_eq(name, service->name)) &&
	       (slice_eq(type, SL("*")) || slice_eq(type, service->columns[1]));
}

static bool has_space(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (ascii_isspace(s.p[i]))
			return true;
	return s.n == 0;
}

static bool is_option(struct slice arg)
{
	return arg.n > 1 && arg.p[0] == '-';
}

static void put_argument(struct postconf *pc, const struct master_service *service, size_t i)
{
	struct slice arg = service->args[i];
	bool begins = is_option(arg) || slice_starts(arg, SL("argv="));

	buffer_append_str(&pc->out, pc->fold && begins ? "\n    " : " ");
	buffer_printf(&pc->out, has_space(arg) ? "{%.*s}" : "%.*s", SL_ARG(arg));
}

static void show(struct postconf *pc, const struct master_service *service)
{
	size_t start = pc->out.len;

	for (int i = 0; i < MASTER_COLUMNS; i++) {
		buffer_append(&pc->out, service->columns[i]);
		do
			buffer_append_byte(&pc->out, ' ');
		while (!buffer_overflowed(&pc->out) && pc->out.len - start < columns[i]);
	}
	buffer_append(&pc->out, service->command);
	for (size_t i = 0; i < service->arg_count; i++)
		put_argument(pc, service, i);
	buffer_append_byte(&pc->out, '\n');
}

void postconf_show_master(struct postconf *pc, char **patterns, int count)
{
	for (size_t s = 0; s < pc->master_cf.count && count == 0; s++)
		show(pc, &pc->master_cf.services[s]);
	for (int i = 0; i < count; i++) {
		struct slice pattern = slice_str(patterns[i]);
		bool found = false;

		for (size_t s = 0; s < pc->master_cf.count; s++) {
			if (!matches(&pc->master_cf.services[s], pattern))
				continue;
			show(pc, &pc->master_cf.services[s]);
			found = true;
		}
		if (!found)
			postconf_warn("unmatched request: \"%s\"", patterns[i]);
	}
}
