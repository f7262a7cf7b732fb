/* SPDX-License-Identifier: ISC */
#include "base/check.h"
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#ifdef POSTRIDER_SANITIZERS
/*
 * The leak check stops the process and looks into it, which no sandbox permits: it is off unless
 * ASAN_OPTIONS asks for it, as `make check` of a sanitizer build does.
 */
const char *__asan_default_options(void);

const char *__asan_default_options(void)
{
	return "detect_leaks=0:abort_on_error=1";
}
#endif

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
