/* SPDX-License-Identifier: ISC */
#include "os/stack.h"
#include "base/check.h"

#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

size_t os_page_size(void)
{
	long n = sysconf(_SC_PAGESIZE);

	CHECK(n > 0);
	return (size_t)n;
}

void *os_stack_map(size_t size)
{
	size_t guard = os_page_size();
	char *base = mmap(NULL, size + guard, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);

	if (base == MAP_FAILED)
		return NULL;
	if (mprotect(base + guard, size, PROT_READ | PROT_WRITE) < 0) {
		munmap(base, size + guard);
		return NULL;
	}
	/* a huge page under a stack would cost 2 MB a fiber; kernels without them say EINVAL */
	(void)madvise(base + guard, size, MADV_NOHUGEPAGE);
	return base + guard;
}

void os_stack_unmap(void *stack, size_t size)
{
	size_t guard = os_page_size();

	munmap((char *)stack - guard, size + guard);
}

void os_stack_drop(void *from, void *to)
{
	uintptr_t page = os_page_size();
	uintptr_t low = ((uintptr_t)from + page - 1) / page * page;
	uintptr_t high = (uintptr_t)to / page * page;

	if (low < high)
		(void)madvise((void *)low, high - low, MADV_DONTNEED);
}

size_t os_stack_resident(const void *stack, size_t size)
{
	size_t page = os_page_size();
	size_t pages = 0;
	unsigned char backed;

	for (size_t at = 0; at + page <= size; at += page)
		if (mincore((char *)stack + at, page, &backed) == 0 && (backed & 1))
			pages++;
	return pages * page;
}
