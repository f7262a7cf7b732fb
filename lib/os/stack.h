/* SPDX-License-Identifier: ISC */
/*
 * os/stack - memory for the stacks of fibers: reserved whole, backed by pages only where touched, with an
 * inaccessible page below, so that an overflow ends the process instead of spoiling a neighbour.
 * Not simulated.
 */
#ifndef OS_STACK_H
#define OS_STACK_H

#include <stddef.h>

size_t os_page_size(void);
/* os_stack_map - `size` usable bytes (whole pages); the lowest address, or NULL and errno. */
void *os_stack_map(size_t size);
void os_stack_unmap(void *stack, size_t size);
/* os_stack_drop - give the pages within [from, to) back; they read as zeroes when touched again. */
void os_stack_drop(void *from, void *to);
/* os_stack_resident - bytes of whole pages in [stack, stack + size) that are backed by memory. */
size_t os_stack_resident(const void *stack, size_t size);

#endif
