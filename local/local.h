/* SPDX-License-Identifier: ISC */
/*
 * local - delivers to the users of this machine: aliases, .forward files, mailboxes, maildirs,
 * commands and files. What the folder shares. The process runs as root; whatever is a user's is
 * read with that user's effective id, and written by a child that has become the user for good.
 */
#ifndef LOCAL_LOCAL_H
#define LOCAL_LOCAL_H

#include "base/map.h"
#include "daemon/agent.h"
#include "local/job.h"
#include "local/kept.h"
#include "local/token.h"
#include "route/route.h"

#include <sys/stat.h>

/* The texts end in a NUL. */
struct account {
	struct slice name;
	struct slice home;
	struct slice shell;
	uid_t uid;
	gid_t gid;
};

/* The account that was asked for last. */
struct account_memory {
	struct arena *arena; /* NULL: none */
	struct slice asked;
	struct account account;
	struct stat passwd; /* /etc/passwd, then */
	int64_t until;
};

/* An alias table, and whose rights its commands and files have. */
struct alias_table {
	struct table *table;
	uid_t owner;
};

/* Where a destination was found; bits, for lists of settings. */
enum expansion_kind { FROM_RECIPIENT = 0, FROM_ALIAS = 1, FROM_FORWARD = 2, FROM_INCLUDE = 4 };

/* The process. */
struct local {
	const struct settings *settings;
	struct table_set *tables;
	struct route *route;
	struct alias_table *aliases;
	size_t alias_count;
	struct table_list *mailbox_transport_maps;
	struct table_list *fallback_transport_maps;
	struct table_list *mailbox_command_maps;
	struct account default_account;
	unsigned allow_commands; /* enum expansion_kind */
	unsigned allow_files;
	unsigned propagate;
	bool delivered_to_command, delivered_to_file, delivered_to_forward;
	struct lock_rules locks;
	struct slice host; /* as names of files may have it */
	char *const *import_environment;
	struct ipc_client *cleanup;
	struct kept kept;
	struct account_memory memory;
	const struct call_filter *file_calls; /* of a child that writes to a file */
};

/*
 * A destination on the way from the recipient to what is really delivered. What it was expanded
 * from is its parent; the recipient itself has none.
 */
struct task {
	struct task *parent;
	unsigned depth;
	struct token token;
	struct slice address; /* whom it is for: the token's, resolved, or the one it comes from */
	struct slice sender;  /* of what is made of it: owner- aliases change it */
	struct slice owner;   /* absent: none. Who else than it gets a message of its own */
	struct slice from;    /* the name that was expanded into it, absent: none */
	struct slice delivered; /* for Delivered-To */
	struct slice unmatched; /* extension that goes on to addresses; absent: none */
	struct slice path;	/* of the .forward file it stands in; absent: in none */
	enum expansion_kind kind;
	bool relayed;		      /* by luser_relay */
	const struct account *rights; /* NULL: nobody's yet */
	uint32_t notify;
};

/* A recipient's address in its parts; lower case. */
struct recipient_name {
	struct slice address; /* case kept */
	struct slice local;
	struct slice user;	/* without extension */
	struct slice extension; /* absent: none */
	struct slice domain;
};

/* The delivery to one recipient of the request. */
struct delivery {
	struct local *p;
	struct agent_delivery *agent;
	struct arena *arena;
	const struct delivery_deliver *request;
	const struct mail_recipient *rcpt;
	size_t position;
	struct map *seen;	  /* what was delivered to already: "mailbox user", ... */
	struct map *delivered_to; /* addresses of the message's Delivered-To: fields */
	struct task **todo;
	size_t todo_count;
	size_t todo_room;
	size_t handled;
	bool probe;    /* say what would be done */
	bool expanded; /* it stands for others */
	bool list;     /* one with an owner, who hears of what comes after */
	bool passed;   /* another agent has written the log line */
	struct outcome worst;
	struct slice worst_to;
	size_t outcomes;
	struct forward *forwards;
	bool deferred;
};

/* ---- account.c */
/* account_by_name - RES_OK: found; RES_PERM: there is none; RES_TEMP: not known, errno. */
enum result account_by_name(struct arena *arena, struct slice name, struct account *out);
enum result account_by_uid(struct arena *arena, uid_t uid, struct account *out);
/*
 * account_recall - as account_by_name, but the last account found is not asked for again within a second,
 * unless /etc/passwd has changed.
 */
enum result account_recall(struct account_memory *m, struct arena *arena, struct slice name,
			   struct account *out);

/* ---- expand.c */
/* expand_recipient - all deliveries that a recipient of the request comes to. */
void expand_recipient(struct agent_delivery *agent, struct local *p, size_t position,
		      struct map *delivered_to);
/* delivery_once - false when `what` `name` was asked before for this recipient. */
bool delivery_once(struct delivery *d, const char *what, struct slice name);
/* delivery_ended - one of them: log it, and remember the worst. */
void delivery_ended(struct delivery *d, const struct task *t, const struct outcome *o);
/* delivery_counts - the same without a log line: another agent has written it. */
void delivery_counts(struct delivery *d, const struct task *t, const struct outcome *o);
void delivery_failed(struct delivery *d, const struct task *t, struct slice dsn, struct slice text);
/* expand_tokens - what `list` holds becomes tasks; `how` says what they have in common. */
void expand_tokens(struct delivery *d, const struct task *how, const struct tokens *list);
/* expand_limit - how many destinations one recipient may come to. */
#define EXPAND_DESTINATIONS ((size_t)100000)

/* ---- alias.c */
/* alias_deliver - true: `name` is an alias (or nobody can say), and all is arranged. */
bool alias_deliver(struct delivery *d, const struct task *t, struct slice name,
		   struct slice unmatched);
/* alias_owner - is there an owner-NAME alias; *value is what it stands for. */
enum table_result alias_owner(struct delivery *d, struct slice name, struct slice *value);

/* ---- file.c: .forward and :include: */
bool forward_deliver(struct delivery *d, const struct task *t, const struct recipient_name *name,
		     const struct account *user);
void include_deliver(struct delivery *d, const struct task *t);

/* ---- mailbox.c: what is delivered here */
void deliver_user(struct delivery *d, const struct task *t, const struct recipient_name *name,
		  const struct account *user);
void deliver_command(struct delivery *d, const struct task *t);
void deliver_file(struct delivery *d, const struct task *t);
/* deliver_as - t->rights, or default_privs'; never root's. */
const struct account *deliver_as(const struct delivery *d, const struct task *t);

/* ---- environment.c */
struct recipient_name recipient_name(struct delivery *d, const struct task *t);
/* expand_names - `$user` and the like; bytes that are not in `filter` (absent: any are) become
 * underscores. */
bool expand_names(struct delivery *d, const struct task *t, const struct account *user,
		  struct slice text, struct slice filter, struct slice *out);
char *const *command_environment(struct delivery *d, const struct task *t,
				 const struct account *user);

/* ---- pass.c: another delivery agent does it */
void pass_on(struct delivery *d, const struct task *t, struct slice transport);

/* ---- resend.c: mail that goes on as a new message */
void resend_add(struct delivery *d, const struct task *t, struct slice address);
/* resend_all - hand them to cleanup; nothing when the delivery is deferred, for it comes again. */
void resend_all(struct delivery *d);

/* ---- biff.c */
void biff_tell(const struct local *p, struct slice user, uint64_t offset);

#endif
