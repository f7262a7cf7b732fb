/* SPDX-License-Identifier: ISC */
/* sendmail - what the parts of the sendmail command share; sendmail(1). */
#ifndef COMMANDS_SENDMAIL_H
#define COMMANDS_SENDMAIL_H

#include "commands/command.h"
#include "ipc/maildrop.h"

/* What the command line asks for. */
struct sendmail {
	struct command command;
	struct maildrop_envelope envelope;
	bool has_sender; /* -f, -r */
	uint32_t notify; /* -N, for every recipient */
	bool dot_is_data;	 /* -i, -oi */
	bool extract_recipients; /* -t */
	const char *alias_database; /* -oA */
	char **recipients;	    /* the rest of the command line, NULL at its end */
	struct slice user;	    /* login name, or uid=N */
};

/* A submission under way: a postdrop process that reads from `to`. */
struct drop {
	struct sendmail *sendmail;
	int to;
	pid_t pid;
	size_t recipients;
	struct buffer chunk;
	bool broken; /* postdrop went away: its exit status tells why */
};

/* sendmail_fatal - "sendmail: fatal: USER(UID): ..."; exits with 75, or `code` where the configuration
 * asks for sysexits(3). */
_Noreturn void sendmail_fatal(const struct sendmail *s, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* ---- sendmail_drop.c */
void drop_begin(struct drop *d, struct sendmail *s, const struct maildrop_envelope *envelope);
void drop_recipient(struct drop *d, struct slice address, uint32_t notify);
void drop_content(struct drop *d, struct slice bytes);
/* drop_commit - true: postdrop has made it durable. False: it has said why on standard error. */
bool drop_commit(struct drop *d, int *status);
void drop_abort(struct drop *d);

/* ---- sendmail_submit.c: a message from standard input; envelope.verify: a probe, nothing is read */
void sendmail_submit(struct sendmail *s);

/* ---- sendmail_smtp.c: -bs */
int sendmail_smtp(struct sendmail *s);

#endif
