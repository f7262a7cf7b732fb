/* SPDX-License-Identifier: ISC */
/*
 * context - the processor's side of a fiber: what is saved when it stops, and the switch. Written
 * for x86_64 and aarch64; elsewhere, or with -DFIBER_UCONTEXT, ucontext does it, slower.
 */
#ifndef FIBER_CONTEXT_H
#define FIBER_CONTEXT_H

#include <stddef.h>

#if (!defined(__x86_64__) || defined(__ILP32__)) && !defined(__aarch64__)
#define FIBER_UCONTEXT 1
#endif

#ifdef FIBER_UCONTEXT
#include <ucontext.h>
struct fiber_context {
	ucontext_t saved;
};
#else
struct fiber_context {
	void *sp; /* all else lies on the stack it points to */
};
#endif

/* fiber_context_make - the first switch to `c` calls entry() on the stack; it must never return. */
void fiber_context_make(struct fiber_context *c, void *stack, size_t size, void (*entry)(void));
/* fiber_context_switch - stop here, go on there; returns when somebody switches back to `from`. */
void fiber_context_switch(struct fiber_context *from, struct fiber_context *to);
/* fiber_context_sp - about where a stopped context's stack ends; NULL when it is not known. */
void *fiber_context_sp(const struct fiber_context *c);

#endif
