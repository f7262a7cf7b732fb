/* SPDX-License-Identifier: ISC */
#include "fiber/scheduler.h"
#include "os/stack.h"

/* Spare stacks kept mapped, with their pages given back but for the top one. */
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

struct fiber *stack_take(struct scheduler *s)
{
	struct spare_stack *spare = s->spare;
	struct fiber *f;
	char *stack;

	if (spare != NULL) {
		s->spare = spare->next;
		s->stats.stacks_pooled--;
		stack = spare->stack;
	} else {
		stack = os_stack_map(s->options.stack_size);
		if (stack == NULL)
			return NULL;
	}
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
	/* the top page was and will be touched: giving it back would only cost a fault */
	os_stack_drop(stack, stack + s->options.stack_size - os_page_size());
	spare->stack = stack;
	spare->next = s->spare;
	s->spare = spare;
	s->stats.stacks_pooled++;
}

void stack_drop_pool(struct scheduler *s)
{
	struct spare_stack *spare;

	while ((spare = s->spare) != NULL) {
		s->spare = spare->next;
		os_stack_unmap(spare->stack, s->options.stack_size);
	}
	s->stats.stacks_pooled = 0;
}

size_t fiber_stack_used(const struct fiber *f)
{
	return os_stack_resident(f->stack, scheduler_here()->options.stack_size);
}
