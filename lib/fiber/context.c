/* SPDX-License-Identifier: ISC */
#include "fiber/context.h"
#include "base/check.h"

#include <stdint.h>

#ifdef FIBER_UCONTEXT

void fiber_context_make(struct fiber_context *c, void *stack, size_t size, void (*entry)(void))
{
	CHECK(getcontext(&c->saved) == 0);
	c->saved.uc_stack.ss_sp = stack;
	c->saved.uc_stack.ss_size = size;
	c->saved.uc_link = NULL;
	makecontext(&c->saved, entry, 0);
}

void fiber_context_switch(struct fiber_context *from, struct fiber_context *to)
{
	CHECK(swapcontext(&from->saved, &to->saved) == 0);
}

void *fiber_context_sp(const struct fiber_context *c)
{
	(void)c;
	return NULL;
}

#else

/*
 * fiber_switch - save what a called function must preserve (System V psABI 3.2.1, AAPCS64 6.1) on the
 * running stack, store the stack pointer, take the other one and restore from there. The
 * floating-point control words are left alone: nothing in the suite changes them.
 */
void fiber_switch(void **save_sp, void *sp);

#ifdef __x86_64__
#define ENTRY_WORD 6
#define FRAME_WORDS 8 /* an odd number above the entry's: a call leaves the stack so */

__asm__(".text\n"
	".p2align 4\n"
	".globl fiber_switch\n"
	".hidden fiber_switch\n"
	".type fiber_switch,@function\n"
	"fiber_switch:\n"
	"	.cfi_startproc\n"
	"	endbr64\n"
	"	pushq %rbp\n"
	"	.cfi_adjust_cfa_offset 8\n"
	"	.cfi_rel_offset %rbp, 0\n"
	"	pushq %rbx\n"
	"	.cfi_adjust_cfa_offset 8\n"
	"	.cfi_rel_offset %rbx, 0\n"
	"	pushq %r12\n"
	"	.cfi_adjust_cfa_offset 8\n"
	"	.cfi_rel_offset %r12, 0\n"
	"	pushq %r13\n"
	"	.cfi_adjust_cfa_offset 8\n"
	"	.cfi_rel_offset %r13, 0\n"
	"	pushq %r14\n"
	"	.cfi_adjust_cfa_offset 8\n"
	"	.cfi_rel_offset %r14, 0\n"
	"	pushq %r15\n"
	"	.cfi_adjust_cfa_offset 8\n"
	"	.cfi_rel_offset %r15, 0\n"
	"	movq %rsp, (%rdi)\n"
	"	movq %rsi, %rsp\n"
	"	popq %r15\n"
	"	.cfi_adjust_cfa_offset -8\n"
	"	.cfi_restore %r15\n"
	"	popq %r14\n"
	"	.cfi_adjust_cfa_offset -8\n"
	"	.cfi_restore %r14\n"
	"	popq %r13\n"
	"	.cfi_adjust_cfa_offset -8\n"
	"	.cfi_restore %r13\n"
	"	popq %r12\n"
	"	.cfi_adjust_cfa_offset -8\n"
	"	.cfi_restore %r12\n"
	"	popq %rbx\n"
	"	.cfi_adjust_cfa_offset -8\n"
	"	.cfi_restore %rbx\n"
	"	popq %rbp\n"
	"	.cfi_adjust_cfa_offset -8\n"
	"	.cfi_restore %rbp\n"
	"	ret\n"
	"	.cfi_endproc\n"
	".size fiber_switch,.-fiber_switch\n");
#else /* __aarch64__ */
#define ENTRY_WORD 11 /* x30 */
#define FRAME_WORDS 20

__asm__(".text\n"
	".p2align 4\n"
	".globl fiber_switch\n"
	".hidden fiber_switch\n"
	".type fiber_switch,%function\n"
	"fiber_switch:\n"
	"	.cfi_startproc\n"
	"	hint #34\n" /* bti c */
	"	sub sp, sp, #160\n"
	"	.cfi_adjust_cfa_offset 160\n"
	"	stp x19, x20, [sp, #0]\n"
	"	stp x21, x22, [sp, #16]\n"
	"	stp x23, x24, [sp, #32]\n"
	"	stp x25, x26, [sp, #48]\n"
	"	stp x27, x28, [sp, #64]\n"
	"	stp x29, x30, [sp, #80]\n"
	"	.cfi_rel_offset x29, 80\n"
	"	.cfi_rel_offset x30, 88\n"
	"	stp d8, d9, [sp, #96]\n"
	"	stp d10, d11, [sp, #112]\n"
	"	stp d12, d13, [sp, #128]\n"
	"	stp d14, d15, [sp, #144]\n"
	"	mov x9, sp\n"
	"	str x9, [x0]\n"
	"	mov sp, x1\n"
	"	ldp x19, x20, [sp, #0]\n"
	"	ldp x21, x22, [sp, #16]\n"
	"	ldp x23, x24, [sp, #32]\n"
	"	ldp x25, x26, [sp, #48]\n"
	"	ldp x27, x28, [sp, #64]\n"
	"	ldp x29, x30, [sp, #80]\n"
	"	ldp d8, d9, [sp, #96]\n"
	"	ldp d10, d11, [sp, #112]\n"
	"	ldp d12, d13, [sp, #128]\n"
	"	ldp d14, d15, [sp, #144]\n"
	"	add sp, sp, #160\n"
	"	.cfi_adjust_cfa_offset -160\n"
	"	ret\n"
	"	.cfi_endproc\n"
	".size fiber_switch,.-fiber_switch\n");
#endif

void fiber_context_make(struct fiber_context *c, void *stack, size_t size, void (*entry)(void))
{
	uintptr_t top = ((uintptr_t)stack + size) & ~(uintptr_t)15;
	void **frame = (void **)top - FRAME_WORDS;

	for (int i = 0; i < FRAME_WORDS; i++)
		frame[i] = NULL;
	frame[ENTRY_WORD] = (void *)(uintptr_t)entry;
	c->sp = frame;
}

void fiber_context_switch(struct fiber_context *from, struct fiber_context *to)
{
	fiber_switch(&from->sp, to->sp);
}

void *fiber_context_sp(const struct fiber_context *c)
{
	return c->sp;
}

#endif
