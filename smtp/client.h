/* SPDX-License-Identifier: ISC */
/* client - what the process holds, and a delivery from the first lookup to the last outcome. */
#ifndef SMTP_CLIENT_CLIENT_H
#define SMTP_CLIENT_CLIENT_H

#include "smtp/session.h"
#include "smtp/target.h"

struct client {
	struct client_conf conf;
	struct dns_client *dns;
	struct own_addresses own;
	struct tls_context *tls; /* NULL: none */
	struct table_set *tables;
	struct table_list *tls_policies;
};

/* What one agent connection keeps between deliveries: one session at most. */
struct client_agent {
	struct client *client;
	struct session *session;
	bool parting; /* the session will not be used again */
};

/*
 * client_deliver - all recipients of the job are reported when it returns. `note` (may be NULL) is told
 * what goes on, for listings. The session stays in agent->session; client_part ends it if it may not be used
 * again.
 */
void client_deliver(struct client_agent *agent, struct job *job, void (*note)(void *arg, struct slice what),
		    void *note_arg);
/* client_part - after that: say good-bye to a server whose session will not be used again. May wait. */
void client_part(struct client_agent *agent);
/* client_idle - between deliveries: end the session when its time has come, or `ended`. */
void client_idle(struct client_agent *agent, bool ended);

#endif
