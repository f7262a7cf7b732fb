/* SPDX-License-Identifier: ISC */
/*
 * config/master_cf - the services that master runs: master.cf in Postfix's syntax (master(5)).
 */
#ifndef CONFIG_MASTER_CF_H
#define CONFIG_MASTER_CF_H

#include "base/result.h"
#include "config/settings.h"

enum service_type {
	SERVICE_INET,
	SERVICE_UNIX,	    /* stream socket in private/ or public/ */
	SERVICE_UNIX_DGRAM, /* datagram socket there */
	SERVICE_FIFO,
	SERVICE_PASS /* stream socket; connections come as descriptors */
};

#define MASTER_COLUMNS 7 /* before the command: service type private unpriv chroot wakeup maxproc \
			  */

struct master_service {
	struct slice name; /* column 1 as written; with `type` it identifies the service */
	enum service_type type;
	struct slice
	    host; /* inet only: address or name without brackets; absent: inet_interfaces */
	struct slice port;	    /* inet only: number or name */
	bool private;		    /* default yes */
	bool unprivileged;	    /* default yes: runs as mail_owner */
	bool chroot;		    /* default no (compatibility_level >= 1), else yes */
	int wakeup;		    /* seconds between wake-ups; 0 never */
	bool wakeup_if_used;	    /* `?`: only once something has connected */
	int process_limit;	    /* 0: no limit */
	bool process_limit_default; /* the column is `-`: process_limit is default_process_limit */
	struct slice command;	    /* program name in daemon_directory */
	struct slice *args; /* as the daemon gets them; braces taken off: "-o", "name=value" */
	size_t arg_count;
	struct slice columns[MASTER_COLUMNS]; /* as written */
	unsigned line;
};

struct master_cf {
	struct slice file;
	struct master_service *services; /* in file order */
	size_t count;
};

/*
 * master_cf_parse - pure. Each line that is wrong is a fatal problem with its line; RES_PERM then,
 * and the services that were right are still in *out. Of two lines with the same name and type the
 * later counts, with a warning. `settings` may be NULL for a caller that looks at the lines as
 * written only: it gets both. `text` must live as long as the arena.
 */
enum result master_cf_parse(struct slice text, struct slice file, const struct settings *settings,
			    struct arena *arena, struct config_problems *problems,
			    struct master_cf *out);
/* master_cf_load - of DIR/master.cf; RES_TEMP when it cannot be read. */
enum result master_cf_load(const char *dir, const struct settings *settings, struct arena *arena,
			   struct config_problems *problems, struct master_cf *out);
/* master_cf_find - by name and type; NULL when there is none. */
const struct master_service *master_cf_find(const struct master_cf *cf, struct slice name,
					    enum service_type type);
/*
 * master_service_override - the next parameter that its arguments set with -o, begun with *at = 0; false at
 * the end.
 */
bool master_service_override(const struct master_service *service, size_t *at, struct slice *name,
			     struct slice *value);
/* service_type_name - "inet", "unix", ... */
const char *service_type_name(enum service_type type);

#endif
