/* SPDX-License-Identifier: ISC */
#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>

void check_failed(const char *file, int line, const char *cond)
{
	fprintf(stderr, "%s:%d: broken invariant: %s\n", file, line, cond);
	abort();
}

void out_of_memory(void)
{
	fputs("out of memory\n", stderr);
	abort();
}
