/* SPDX-License-Identifier: ISC */
/*
 * check - a broken invariant ends the process at once, with its place on standard error.
 * Only for what cannot happen unless the program is wrong; bad input is never an invariant.
 */
#ifndef BASE_CHECK_H
#define BASE_CHECK_H

#define CHECK(cond) ((cond) ? (void)0 : check_failed(__FILE__, __LINE__, #cond))

/* check_failed - print "FILE:LINE: broken invariant: COND" to descriptor 2 and abort. */
_Noreturn void check_failed(const char *file, int line, const char *cond);

/* out_of_memory - the one failure that library code may end the process for. */
_Noreturn void out_of_memory(void);

#endif
