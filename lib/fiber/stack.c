/* SPDX-License-Identifier: ISC */
#include "fiber/scheduler.h"
#include "os/stack.h"

/* Spare stacks kept mapped. */
#define POOL_MAX 256

/* Rounded so that the stack below keeps the alignment of 16 that the ABI wants. */
#define FIBER_ROOM ((sizeof(struct fiber) + 63) / 64 * 64)

size_t stack_limit(const struct scheduler *s)
{
	return s->options.stack_size - FIBER_ROOM;
}

static void *room(const struct scheduler *s, char *stack)
{
	return stack + stack_limit(s);
}

/* pooled - the one used last, whose pages are there already, or NULL. */
static char *pooled(struct scheduler *s)
{
	struct list *l = list_pop_front(&s->warm);

	if (l == NULL)
		l = list_pop_front(&s->cold);
	if (l == NULL)
		return NULL;
	s->stats.stacks_pooled--;
	return CONTAINER_OF(l, struct spare_stack, link)->stack;
}

struct fiber *stack_take(struct scheduler *s)
{
	char *stack = pooled(s);
	struct fiber *f;

	if (stack == NULL)
		stack = os_stack_map(s->options.stack_size);
	if (stack == NULL)
		return NULL;
	f = room(s, stack);
	memset(f, 0, sizeof(*f));
	f->stack = stack;
	hook_stack_new(f, stack_limit(s));
	return f;
}

void stack_give(struct scheduler *s, struct fiber *f)
{
	char *stack = f->stack;
	struct spare_stack *spare = (struct spare_stack *)f;

	hook_stack_gone(f, stack_limit(s));
	if (s->stats.stacks_pooled >= POOL_MAX) {
		os_stack_unmap(stack, s->options.stack_size);
		return;
	}
	spare->stack = stack;
	spare->since = os_now();
	list_push_front(&s->warm, &spare->link);
	s->stats.stacks_pooled++;
}

static struct spare_stack *coolest(const struct scheduler *s)
{
	return list_empty(&s->warm) ? NULL : CONTAINER_OF(s->warm.prev, struct spare_stack, link);
}

int64_t stack_idle_since(const struct scheduler *s)
{
	const struct spare_stack *spare = coolest(s);

	return spare == NULL ? OS_NEVER : spare->since;
}

void stack_cool(struct scheduler *s, int64_t since)
{
	struct spare_stack *spare;

	while ((spare = coolest(s)) != NULL && spare->since <= since) {
		/* the top page, where this struct lies, will be touched by whoever comes next */
		os_stack_drop(spare->stack,
			      spare->stack + s->options.stack_size - os_page_size());
		list_remove(&spare->link);
		list_push_front(&s->cold, &spare->link);
	}
}

void stack_drop_pool(struct scheduler *s)
{
	char *stack;

	while ((stack = pooled(s)) != NULL)
		os_stack_unmap(stack, s->options.stack_size);
}

size_t fiber_stack_used(const struct fiber *f)
{
	return os_stack_resident(f->stack, scheduler_here()->options.stack_size);
}
