/* SPDX-License-Identifier: ISC */
/*
 * command - SMTP command lines as a server reads them (RFC 5321 4.1). Values point into the line or
 * live in the arena.
 */
#ifndef SMTP_COMMAND_H
#define SMTP_COMMAND_H

#include "address/path.h"
#include "message/dsn.h"
#include "smtp/reply.h"

enum smtp_verb {
	SMTP_UNKNOWN,
	SMTP_AUTH,
	SMTP_BDAT,
	SMTP_DATA,
	SMTP_EHLO,
	SMTP_ETRN,
	SMTP_EXPN,
	SMTP_HELO,
	SMTP_HELP,
	SMTP_LHLO,
	SMTP_MAIL,
	SMTP_NOOP,
	SMTP_QUIT,
	SMTP_RCPT,
	SMTP_RSET,
	SMTP_STARTTLS,
	SMTP_VRFY,
	SMTP_XCLIENT,
	SMTP_XFORWARD,
	SMTP_VERB_COUNT
};

struct smtp_command {
	enum smtp_verb verb;
	struct slice name; /* as sent */
	struct slice args; /* trimmed; may be empty */
};

/* smtp_command_parse - a line without its line end. Leading white space is skipped. */
void smtp_command_parse(struct slice line, struct smtp_command *out);
/* smtp_verb_name - "MAIL"; "UNKNOWN" for SMTP_UNKNOWN. */
const char *smtp_verb_name(enum smtp_verb verb);

/* What the session offers: a parameter of an extension that is off is 555. */
#define SMTP_TAKES_SIZE 1u
#define SMTP_TAKES_8BITMIME 2u
#define SMTP_TAKES_SMTPUTF8 4u
#define SMTP_TAKES_DSN 8u
#define SMTP_TAKES_AUTH 16u
#define SMTP_STRICT_PATHS 32u	 /* strict_rfc821_envelopes */
#define SMTP_STRICT_UTF8 64u	 /* strict_smtputf8: 8-bit addresses only after MAIL said SMTPUTF8 */
#define SMTP_NUMERIC_DOMAINS 128u /* resolve_numeric_domain */

enum smtp_body { SMTP_BODY_NONE, SMTP_BODY_7BIT, SMTP_BODY_8BITMIME };

struct smtp_mail {
	struct smtp_path path;
	bool has_size;
	uint64_t size;
	enum smtp_body body;
	bool smtputf8;
	enum dsn_ret ret;
	struct slice envid; /* decoded; null: none */
	struct slice auth;  /* decoded mailbox, or empty for "<>"; null: none */
};

struct smtp_rcpt {
	struct smtp_path path;
	unsigned notify;    /* DSN_NOTIFY_*, 0: not said */
	struct orcpt orcpt; /* type is null when not given */
};

/*
 * smtp_mail_parse, smtp_rcpt_parse - the arguments of MAIL and RCPT, "FROM:<...> SIZE=1" and
 * "TO:<...> NOTIFY=NEVER". False: *error is the reply to send. `smtputf8` in smtp_rcpt_parse is
 * what MAIL declared.
 */
bool smtp_mail_parse(struct slice args, unsigned takes, struct arena *arena, struct smtp_mail *out,
		     struct smtp_reply *error);
bool smtp_rcpt_parse(struct slice args, unsigned takes, bool smtputf8, struct arena *arena,
		     struct smtp_rcpt *out, struct smtp_reply *error);
/* smtp_bdat_parse - "1000" or "1000 LAST". */
bool smtp_bdat_parse(struct slice args, uint64_t *size, bool *last);

#endif
