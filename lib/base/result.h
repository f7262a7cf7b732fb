/* SPDX-License-Identifier: ISC */
/*
 * The three outcomes that everything in the suite speaks of, from a system call to an SMTP reply.
 * What is not known to be permanent is RES_TEMP: mail is kept and tried again.
 */
#ifndef BASE_RESULT_H
#define BASE_RESULT_H

enum result {
	RES_OK = 0, /* done */
	RES_TEMP,   /* not now: 4xx, deferred, EX_TEMPFAIL */
	RES_PERM    /* never: 5xx, bounced */
};

#endif
