/* SPDX-License-Identifier: ISC */
/*
 * restriction - access control: the lists smtpd_*_restrictions, parsed once at start, evaluated as
 * Postfix does (postconf(5), SMTPD_ACCESS_README, access(5)).
 *
 * A check_*() asks the lists that are due at its stage. With smtpd_delay_reject those of client,
 * HELO and sender are all due at RCPT. False: refused; s->verdict is the reply (in s->scratch), and
 * the refusal is logged.
 */
#ifndef SMTPD_RESTRICTION_H
#define SMTPD_RESTRICTION_H

#include "base/arena.h"
#include "smtp/reply.h"

struct session;
struct smtpd;

bool check_client(struct session *s);
bool check_helo(struct session *s);
bool check_mail(struct session *s);
/* check_rcpt - s->recipient is set. */
bool check_rcpt(struct session *s);
bool check_data(struct session *s);
bool check_end_of_data(struct session *s);
/* check_local_client - local_header_rewrite_clients: are its headers completed as our own are? */
bool check_local_client(struct session *s);

/* ---- the inside */

enum verdict { VERDICT_DUNNO, VERDICT_OK, VERDICT_REJECT };

/* What a defer_if_permit or defer_if_reject has left behind. */
struct pending {
	bool active;
	struct smtp_reply reply;
};

/* Which list, hence which table a bare type:name is looked up in. */
enum stage {
	STAGE_CLIENT,
	STAGE_HELO,
	STAGE_SENDER,
	STAGE_RELAY,
	STAGE_RECIPIENT,
	STAGE_DATA,
	STAGE_END_OF_DATA,
	STAGE_COUNT
};

struct check;
struct restriction;

struct restriction_kind {
	const char *name;
	enum { ARG_NONE, ARG_TABLE, ARG_TIME, ARG_NOT_BUILT, ARG_NOT_BUILT_ONE } arg;
	enum verdict (*evaluate)(struct check *c, const struct restriction *r);
};

struct restriction {
	const struct restriction_kind *kind; /* NULL: unknown, `name` is what stands there */
	struct slice name;
	struct table_list *table;
	struct slice table_name;
	int64_t time;
	struct restriction_list *list; /* of a restriction class */
};

struct restriction_list {
	struct slice parameter; /* name, for messages */
	struct restriction *items;
	size_t count;
};

struct policy {
	struct arena *arena;
	struct restriction_list lists[STAGE_COUNT];
	struct restriction_list local_clients;
	struct map *classes;	 /* name → struct restriction_list */
	unsigned access_parents; /* FIND_PARENTS or FIND_DOT_PARENTS */
	size_t unusable;	 /* restrictions that nobody knows, or that are not built */
};

/*
 * policy_parse - all lists. What cannot be used is logged with parameter and value; mail that meets
 * it gets 451 4.3.5. NULL (logged): smtpd_relay_restrictions and smtpd_recipient_restrictions would
 * make an open relay.
 */
struct policy *policy_parse(struct smtpd *p, struct arena *arena);
/* policy_parse_value - a restriction list that stands in a table's value. */
void policy_parse_value(struct smtpd *p, struct policy *policy, struct slice value,
			struct arena *arena, struct restriction_list *out);
const struct restriction_kind *restriction_find(struct slice name);

/* One evaluation of a list. */
struct check {
	struct session *s;
	struct arena *arena;
	enum stage stage;
	struct slice subject; /* what stands in <> at the front of replies */
	const char *what;     /* "Recipient address" ... */
	bool warn;	      /* behind warn_if_reject */
	unsigned depth;
	struct pending defer_if_permit;
	struct pending defer_if_reject;
};

enum verdict restriction_evaluate(struct check *c, const struct restriction_list *list);

/*
 * check_reject - refuse: makes the reply, logs. Under warn_if_reject only the latter, and DUNNO.
 * `status` is "5.7.1"; its first digit is made to fit the code.
 */
enum verdict check_reject(struct check *c, unsigned code, const char *status, struct slice text);
/* check_rejected - "<subject>: WHAT rejected: text". */
enum verdict check_rejected(struct check *c, unsigned code, const char *status, struct slice text);
/* check_table_problem - a table cannot be asked: logged, 451 4.3.0. */
enum verdict check_table_problem(struct check *c, struct slice reason);
/* check_misconfigured - 451 4.3.5, logged. */
enum verdict check_misconfigured(struct check *c, struct slice why);
void check_defer_if_permit(struct check *c, unsigned code, const char *status, struct slice text);
void check_defer_if_reject(struct check *c, unsigned code, const char *status, struct slice text);
/* check_log - action: "reject", "warn", "hold" ... */
void check_log(const struct check *c, const char *action, struct slice text);
/* The texts in brackets of a subject: "<x>: Relay access denied". */
struct slice check_about(const struct check *c, struct slice text);

/* restriction_simple.c */
enum verdict restrict_permit(struct check *c, const struct restriction *r);
enum verdict restrict_reject(struct check *c, const struct restriction *r);
enum verdict restrict_defer(struct check *c, const struct restriction *r);
enum verdict restrict_defer_if_permit(struct check *c, const struct restriction *r);
enum verdict restrict_defer_if_reject(struct check *c, const struct restriction *r);
enum verdict restrict_nothing(struct check *c, const struct restriction *r);
enum verdict restrict_sleep(struct check *c, const struct restriction *r);
enum verdict restrict_mynetworks(struct check *c, const struct restriction *r);
enum verdict restrict_inet_interfaces(struct check *c, const struct restriction *r);
enum verdict restrict_tls_clientcerts(struct check *c, const struct restriction *r);
enum verdict restrict_tls_all_clientcerts(struct check *c, const struct restriction *r);
enum verdict restrict_pipelining(struct check *c, const struct restriction *r);
enum verdict restrict_plaintext(struct check *c, const struct restriction *r);
enum verdict restrict_multi_recipient_bounce(struct check *c, const struct restriction *r);
/* restriction_relay.c */
enum verdict restrict_permit_auth_destination(struct check *c, const struct restriction *r);
enum verdict restrict_unauth_destination(struct check *c, const struct restriction *r);
enum verdict restrict_defer_unauth_destination(struct check *c, const struct restriction *r);
enum verdict restrict_unlisted_recipient(struct check *c, const struct restriction *r);
enum verdict restrict_unlisted_sender(struct check *c, const struct restriction *r);
/* restriction_name.c */
enum verdict restrict_invalid_helo(struct check *c, const struct restriction *r);
enum verdict restrict_non_fqdn_helo(struct check *c, const struct restriction *r);
enum verdict restrict_non_fqdn_sender(struct check *c, const struct restriction *r);
enum verdict restrict_non_fqdn_recipient(struct check *c, const struct restriction *r);
/* restriction_dns.c */
enum verdict restrict_unknown_client(struct check *c, const struct restriction *r);
enum verdict restrict_unknown_reverse_client(struct check *c, const struct restriction *r);
enum verdict restrict_unknown_helo(struct check *c, const struct restriction *r);
enum verdict restrict_unknown_sender(struct check *c, const struct restriction *r);
enum verdict restrict_unknown_recipient(struct check *c, const struct restriction *r);
/* restriction_access.c */
enum verdict restrict_address_map(struct check *c, const struct restriction *r);
enum verdict restrict_client_access(struct check *c, const struct restriction *r);
enum verdict restrict_reverse_client_access(struct check *c, const struct restriction *r);
enum verdict restrict_helo_access(struct check *c, const struct restriction *r);
enum verdict restrict_sender_access(struct check *c, const struct restriction *r);
enum verdict restrict_recipient_access(struct check *c, const struct restriction *r);

#endif
