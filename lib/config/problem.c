/* SPDX-License-Identifier: ISC */
#include "config/problem.h"

#include "base/buffer.h"

#define PROBLEM_TEXT_LIMIT 4096

void config_problems_init(struct config_problems *all, struct arena *arena)
{
	*all = (struct config_problems){.arena = arena};
}

static struct config_problem *problem_slot(struct config_problems *all)
{
	if (all->count == all->size) {
		size_t size = all->size ? 2 * all->size : 16;
		struct config_problem *items = ARENA_ARRAY(all->arena, size, struct config_problem);

		if (all->count > 0)
			memcpy(items, all->items, all->count * sizeof(*items));
		all->items = items;
		all->size = size;
	}
	return &all->items[all->count++];
}

static struct slice copy(struct arena *arena, struct slice s)
{
	return slice_is_null(s) ? SL_NULL : arena_dup(arena, s);
}

void config_problem_add(struct config_problems *all, bool fatal, struct slice file, unsigned line,
			struct slice parameter, const char *format, ...)
{
	struct config_problem *problem = problem_slot(all);
	struct buffer text;
	va_list ap;

	buffer_init(&text, PROBLEM_TEXT_LIMIT);
	va_start(ap, format);
	if (!buffer_vprintf(&text, format, ap))
		buffer_append(&text, SL("(text too long)"));
	va_end(ap);
	*problem = (struct config_problem){.fatal = fatal,
					   .file = copy(all->arena, file),
					   .line = line,
					   .parameter = copy(all->arena, parameter),
					   .text = arena_dup(all->arena, buffer_slice(&text))};
	buffer_free(&text);
	if (fatal)
		all->fatal++;
}

struct slice config_problem_text(struct arena *arena, const struct config_problem *problem)
{
	struct slice place = SL("");
	struct slice name = SL("");

	if (problem->file.n > 0 && problem->line > 0)
		place =
		    arena_printf(arena, "%.*s, line %u: ", SL_ARG(problem->file), problem->line);
	else if (problem->file.n > 0)
		place = arena_printf(arena, "%.*s: ", SL_ARG(problem->file));
	if (problem->parameter.n > 0)
		name = arena_printf(arena, "%.*s: ", SL_ARG(problem->parameter));
	return arena_printf(arena, "%.*s%.*s%.*s", SL_ARG(place), SL_ARG(name),
			    SL_ARG(problem->text));
}
