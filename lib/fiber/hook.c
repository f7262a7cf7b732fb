/* SPDX-License-Identifier: ISC */
/* hook - tell the tools that watch memory that the stack changes under them. */
#include "fiber/scheduler.h"

#if defined(__SANITIZE_ADDRESS__)
#define WITH_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WITH_ASAN 1
#endif
#endif

#ifdef WITH_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

#if defined(__has_include)
#if __has_include(<valgrind/valgrind.h>)
#define WITH_VALGRIND 1
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#include <valgrind/valgrind.h>
#pragma GCC diagnostic pop
#endif
#endif

void hook_leave(void **fake_stack, const void *stack, size_t size)
{
#ifdef WITH_ASAN
	__sanitizer_start_switch_fiber(fake_stack, stack, size);
#else
	(void)fake_stack;
	(void)stack;
	(void)size;
#endif
}

void hook_enter(void *fake_stack, const void **stack, size_t *size)
{
#ifdef WITH_ASAN
	__sanitizer_finish_switch_fiber(fake_stack, stack, size);
#else
	(void)fake_stack;
	(void)stack;
	(void)size;
#endif
}

void hook_stack_new(struct fiber *f, size_t size)
{
#ifdef WITH_ASAN
	__asan_unpoison_memory_region(f->stack, size);
#endif
#ifdef WITH_VALGRIND
	f->valgrind_stack = (unsigned)VALGRIND_STACK_REGISTER(f->stack, f->stack + size);
#endif
	(void)f;
	(void)size;
}

void hook_stack_gone(struct fiber *f, size_t size)
{
#ifdef WITH_ASAN
	__asan_unpoison_memory_region(f->stack, size);
#endif
#ifdef WITH_VALGRIND
	VALGRIND_STACK_DEREGISTER(f->valgrind_stack);
#endif
	(void)f;
	(void)size;
}
