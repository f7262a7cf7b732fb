/* SPDX-License-Identifier: ISC */
/* dsn - the parameters of RFC 3461: xtext, ORCPT, ENVID, NOTIFY, RET; and RFC 6533's utf-8
 * addresses. */
#ifndef MESSAGE_DSN_H
#define MESSAGE_DSN_H

#include "base/arena.h"

#define DSN_NOTIFY_NEVER 1u
#define DSN_NOTIFY_SUCCESS 2u
#define DSN_NOTIFY_FAILURE 4u
#define DSN_NOTIFY_DELAY 8u

enum dsn_ret { DSN_RET_NONE, DSN_RET_FULL, DSN_RET_HDRS };

/* dsn_notify_parse - "SUCCESS,failure" to a mask; NEVER stands alone. Also `sendmail -N`. */
bool dsn_notify_parse(struct slice text, unsigned *mask);
/* dsn_notify_format - the inverse; "" for 0. */
struct slice dsn_notify_format(struct arena *arena, unsigned mask);
bool dsn_ret_parse(struct slice text, enum dsn_ret *ret);
/* dsn_ret_name - "FULL", "HDRS", or NULL. */
const char *dsn_ret_name(enum dsn_ret ret);

/* xtext_encode, xtext_decode - RFC 3461 4; decode is false on bad "+XX" or bytes outside xchar. */
struct slice xtext_encode(struct arena *arena, struct slice text);
bool xtext_decode(struct arena *arena, struct slice xtext, struct slice *text);
/* envid_parse - decoded, printable, up to 100 bytes. */
bool envid_parse(struct arena *arena, struct slice xtext, struct slice *envid);

/* An original recipient, decoded: what the queue stores is "type;address". */
struct orcpt {
	struct slice type;    /* "rfc822", "utf-8", "x400" ... in lower case */
	struct slice address; /* decoded */
};

/* orcpt_parse - the value of ORCPT=. rfc822 is xtext; utf-8 is utf-8-addr-xtext or -unitext. */
bool orcpt_parse(struct arena *arena, struct slice value, bool smtputf8, struct orcpt *out);
/* orcpt_format - for the wire; `smtputf8`: the peer takes utf-8-addr-unitext. */
struct slice orcpt_format(struct arena *arena, const struct orcpt *o, bool smtputf8);
/* orcpt_join, orcpt_split - to and from the stored "type;address". */
struct slice orcpt_join(struct arena *arena, const struct orcpt *o);
bool orcpt_split(struct slice stored, struct orcpt *out);

#endif
