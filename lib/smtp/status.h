/* SPDX-License-Identifier: ISC */
/*
 * status - enhanced status codes (RFC 3463 and the IANA registry) and SMTP reply codes. The tables
 * are generated from schema/status/.
 */
#ifndef SMTP_STATUS_H
#define SMTP_STATUS_H

#include "base/result.h"
#include "base/slice.h"

struct enhanced_status {
	uint8_t class; /* 2, 4, 5 */
	uint16_t subject;
	uint16_t detail;
};

struct enhanced_meaning {
	uint16_t subject;
	uint16_t detail;
	const char *text;
};

struct reply_meaning {
	uint16_t code;
	enum result result;
	const char *status; /* enhanced code where none is said, NULL: none */
	const char *text;
};

/* enhanced_parse - "5.1.1" at the front of s, ending at a space or the end; *rest gets what follows
 * the space. False: no code there (digits per RFC 3463 2: 1 to 3 each). */
bool enhanced_parse(struct slice s, struct enhanced_status *out, struct slice *rest);
/* enhanced_meaning - "Bad destination mailbox address", or NULL when the code is not registered. */
const char *enhanced_meaning(const struct enhanced_status *status);
/* enhanced_result - by class; anything but 2 and 5 is temp. */
enum result enhanced_result(const struct enhanced_status *status);
/* reply_meaning - what a reply code is for, or NULL. */
const struct reply_meaning *reply_meaning(unsigned code);

/* Generated. Sorted by subject and detail, and by code. */
extern const struct enhanced_meaning enhanced_table[];
extern const size_t enhanced_table_size;
extern const struct reply_meaning reply_table[];
extern const size_t reply_table_size;

#endif
