/* SPDX-License-Identifier: ISC */
/*
 * smtpd - speaks SMTP with strangers, decides, and hands what it takes to cleanup. What the files
 * of this folder share: the process, a session (one client's connection, one fiber), a transaction
 * (one message). Protocol code is in command_*.c, decisions in restriction_*.c (restriction.h).
 */
#ifndef SMTPD_SMTPD_H
#define SMTPD_SMTPD_H

#include "base/ip.h"
#include "base/map.h"
#include "config/settings.h"
#include "daemon/daemon.h"
#include "daemon/intake.h"
#include "dns/dns.h"
#include "fiber/stream.h"
#include "route/route.h"
#include "smtp/command.h"
#include "smtp/ehlo.h"
#include "smtpd/restriction.h"
#include "table/match_list.h"
#include "tls/tls.h"

struct own_addresses;

/* ---- the process */

struct smtpd {
	const struct settings *settings;
	struct daemon_context *context; /* NULL in tests */
	struct table_set *tables;
	struct table_remote *remote; /* how tables that are not local are asked */
	struct route *route;
	struct policy *policy; /* all restriction lists */
	struct match_list *mynetworks;
	struct match_list *limit_exceptions;
	struct match_list *bare_newline_exclusions;
	struct match_list *forbidden_commands;
	struct table_list *relay_clientcerts;
	struct own_addresses *own;
	struct ipc_client *cleanup;
	struct dns_client *dns; /* NULL: every lookup fails for now */

	struct tls_context *tls; /* NULL: STARTTLS cannot be had */
	struct ipc_client *tlsmgr; /* NULL: each process has ticket keys of its own */
	int64_t tickets_until;	   /* monotonic: when to ask it again */
	bool tls_wanted;	 /* smtpd_tls_security_level may or encrypt, or wrapper mode */
	bool tls_required;
	unsigned ehlo_discard; /* mask of EHLO_* */
	struct table_list *ehlo_discard_maps;
	bool bare_lf_reject;		  /* smtpd_forbid_bare_newline = reject */
	bool no_unknown_recipient_checks; /* receive_override_options */
	bool no_address_mappings;
	bool no_header_body_checks;
	bool no_milters;

	struct map *clients;  /* address → struct client_use */
	int64_t tables_asked; /* monotonic */
	bool stopping;
};

/* process_open - tables, restrictions, certificates; everything that needs files. False: logged
 * why. */
bool process_open(struct smtpd *p, const struct settings *settings, struct arena *arena);
/* process_connect - clients of other daemons; no connection yet. */
void process_connect(struct smtpd *p, const char *cleanup, const char *resolver, const char *tlsmgr);
/* tickets_refresh - before a handshake: fresh keys for session tickets, if it is time. May wait 2 s. */
void tickets_refresh(struct smtpd *p);
/* process_close - for tests: give all of it back. */
void process_close(struct smtpd *p);
/* process_check_tables - once a second at most: drain when a table cannot be read again. */
void process_check_tables(struct smtpd *p);

/* ---- one client's connection */

/* Outcome of the name lookups, for the reject_unknown_client restrictions. */
enum name_status { NAME_OK, NAME_TEMP, NAME_MISSING, NAME_FORGED };

struct client {
	struct slice name;    /* verified, or "unknown" */
	struct slice reverse; /* not verified, or "unknown" */
	struct slice addr;    /* text */
	struct slice full;    /* "name[addr]" */
	struct ip_addr ip;    /* bits 0: not from the network */
	uint16_t port;
	enum name_status name_status;
	enum name_status reverse_status;
};

/* One recipient that was accepted. */
struct recipient {
	struct slice address;
	struct slice orcpt; /* "type;address", or absent */
	unsigned notify;
	struct recipient *next;
};

/* From MAIL to the end of the message; all it points to lives in its arena. */
struct transaction {
	struct arena *arena; /* NULL until a MAIL needs it */
	bool open;	     /* MAIL was accepted */
	struct slice sender;
	enum smtp_body body;
	bool smtputf8;
	enum dsn_ret ret;
	struct slice envid;
	uint64_t size;
	int64_t arrival; /* wall clock */
	struct recipient *first;
	struct recipient **last;
	unsigned recipients;
	unsigned overshoot;
	bool hold;
	bool discard;
	struct slice filter;
	struct slice redirect;
	struct pending carried; /* without smtpd_delay_reject: of the MAIL command, for RCPT */

	/* under way: DATA, or the chunks of BDAT */
	struct intake *intake;
	bool id_logged;		 /* client=, with the queue id */
	struct bdat_state *bdat; /* NULL: no BDAT yet */
	uint64_t content;	 /* bytes so far, for the log */
	bool too_big;
};

/* What is counted for "disconnect from"; in the order of that line. */
enum session_count {
	COUNT_HELO,
	COUNT_EHLO,
	COUNT_STARTTLS,
	COUNT_AUTH,
	COUNT_MAIL,
	COUNT_RCPT,
	COUNT_DATA,
	COUNT_BDAT,
	COUNT_RSET,
	COUNT_NOOP,
	COUNT_VRFY,
	COUNT_ETRN,
	COUNT_QUIT,
	COUNT_HELP,
	COUNT_XCLIENT,
	COUNT_XFORWARD,
	COUNT_UNKNOWN,
	COUNT_COUNT
};

/* Why a session ended other than by QUIT; as the log says it. */
enum session_end { END_NONE, END_QUIT, END_LOST, END_TIMEOUT, END_ERRORS, END_LOCAL };

struct session {
	struct smtpd *p;
	struct daemon_session *daemon; /* NULL in tests */
	struct stream stream;
	struct arena *arena;   /* the session's */
	struct arena *scratch; /* one command's */
	struct client client;
	struct buffer helo; /* empty: neither HELO nor EHLO yet */
	bool esmtp;
	const char *where; /* stage for the log: CONNECT, EHLO, MAIL ... */
	enum session_end end;
	bool closing; /* the last reply is written: hang up */
	unsigned errors;
	unsigned junk;
	unsigned ehlo_discard;
	bool forgiven;		/* the present command fails, and that is no error */
	bool pipelined_early;	/* has spoken before its turn */
	bool denied;		/* refused at the door, smtpd_delay_reject = no */
	bool counted;		/* in process->clients */
	struct tls_facts *tls;	/* NULL: in the clear */
	struct pending carried; /* without smtpd_delay_reject: of client and HELO, for RCPT */
	struct transaction txn;
	struct slice recipient;	   /* the one that is being decided about; else absent */
	struct smtp_reply verdict; /* the refusal, of the last check that refused */
	struct {
		uint32_t good;
		uint32_t all;
	} counts[COUNT_COUNT];
};

/* session.c */
void smtpd_session(struct daemon_context *context, struct daemon_session *session);
/* session_serve - all of it over a connected socket; for tests without lib/daemon's sessions. */
void session_serve(struct smtpd *p, int fd, const struct os_addr *peer,
		   struct daemon_session *daemon);
/* session_io - note why input or output failed; the session ends. */
void session_io(struct session *s, enum stream_status status);
int64_t session_deadline(const struct session *s);
/* session_reset - forget the transaction, and with it what cleanup has of it. */
void session_reset(struct session *s);
/*
 * session_queue_id - of the message being received; null (NOQUEUE in the log): none. May wait for cleanup
 * to give one.
 */
struct slice session_queue_id(struct session *s);
/* session_bad_address - log the address in a command's arguments that cannot be understood. */
void session_bad_address(struct session *s, const char *verb, struct slice args);
/* session_proto - "SMTP" or "ESMTP"; "" before HELO. */
struct slice session_proto(const struct session *s);

/* reply.c */
void reply(struct session *s, unsigned code, const char *status, struct slice text);
void reply_send(struct session *s, const struct smtp_reply *r);
/* reply_verdict - the refusal of a check; false, for callers to return. */
bool reply_verdict(struct session *s);
/* reply_bad - a reply to a mistake; false, for callers to return. */
bool reply_bad(struct session *s, unsigned code, const char *status, struct slice text);

/* client.c */
void client_identify(struct session *s, const struct os_addr *peer);
/* client_admit - false: too many connections from there. */
bool client_admit(struct session *s);
void client_leave(struct session *s);

/* receive.c */
/* bare_lf_refused - smtpd_forbid_bare_newline: true, and said, when this client may not do that. */
bool bare_lf_refused(struct session *s);
/* receive_begin - make ready for content; false: refused, and that was said to the client. */
bool receive_begin(struct session *s);
/*
 * receive_open - have cleanup give the message its queue id, and log who sends it, if that has not happened.
 * RES_OK, or why not, as in intake_open.
 */
enum result receive_open(struct session *s, struct intake_result *failure);
/* receive_content - the next bytes of the message; whether they were welcome shows at the end. */
void receive_content(struct session *s, struct slice bytes);
/* receive_finish - the content is whole: last checks, commit, the reply. */
bool receive_finish(struct session *s, bool bare_lf);

/*
 * Commands: true, or false when it counts as an error. All have replied, unless the connection is
 * gone (stream) or they are DATA in the middle.
 */
bool command_helo(struct session *s, const struct smtp_command *c);
bool command_ehlo(struct session *s, const struct smtp_command *c);
bool command_mail(struct session *s, const struct smtp_command *c);
bool command_rcpt(struct session *s, const struct smtp_command *c);
bool command_data(struct session *s, const struct smtp_command *c);
bool command_bdat(struct session *s, const struct smtp_command *c);
bool command_rset(struct session *s, const struct smtp_command *c);
bool command_noop(struct session *s, const struct smtp_command *c);
bool command_quit(struct session *s, const struct smtp_command *c);
bool command_vrfy(struct session *s, const struct smtp_command *c);
bool command_help(struct session *s, const struct smtp_command *c);
bool command_starttls(struct session *s, const struct smtp_command *c);
bool command_refused(struct session *s, const struct smtp_command *c);

/* command_starttls.c */
/* tls_begin - shake hands; false: the session is over. */
bool tls_begin(struct session *s);
/* command_bdat.c */
void bdat_release(struct transaction *t);
/* bdat_skip - of a BDAT that is refused: its chunk is no commands. False: the session is over. */
bool bdat_skip(struct session *s, const struct smtp_command *c);
/* command_mail.c: what MAIL and RCPT may say in this session, SMTP_TAKES_*. */
unsigned command_takes(const struct session *s);

#endif
