/* SPDX-License-Identifier: ISC */
/* postconf_usage - warnings of names that nothing uses, that nothing defines, or that are on their
 * way out. */
#include "commands/postconf.h"

void postconf_warn_all(const struct config_problems *problems, bool lines)
{
	for (size_t i = 0; i < problems->count; i++) {
		struct config_problem p = problems->items[i];

		if (p.fatal)
			continue;
		if (!lines)
			p.line = 0;
		postconf_warn("%s", config_problem_text(problems->arena, &p).p);
	}
}

static void add_all(struct config_problems *to, const struct config_problems *from,
		    struct slice file)
{
	for (size_t i = 0; i < from->count; i++)
		if (slice_eq(from->items[i].file, file))
			config_problem_add(to, false, file, 0, SL_NULL, "%.*s",
					   SL_ARG(from->items[i].text));
}

void postconf_with_warnings(struct postconf *pc, void (*show)(struct postconf *, char **, int),
			    char **args, int count)
{
	struct config_problems undefined, all, unused;
	struct usage usage;

	config_problems_init(&undefined, pc->arena);
	config_problems_init(&all, pc->arena);
	config_problems_init(&unused, pc->arena);
	usage_find(&pc->values, pc->main_cf.file, &pc->master_cf, pc->arena, &undefined, &usage);
	if (!pc->quiet)
		postconf_warn_all(&undefined, false);
	show(pc, args, count);
	postconf_flush(pc);
	usage_deprecated(&usage, &all);
	usage_unused(&usage, &all);
	if (pc->mode == MODE_MAIN)
		add_all(&unused, &all, pc->main_cf.file);
	add_all(&unused, &all, pc->master_cf.file);
	if (!pc->quiet)
		postconf_warn_all(&unused, false);
	usage_free(&usage);
}
