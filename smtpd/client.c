/* SPDX-License-Identifier: ISC */
/* client - who has connected: address, name, and how many of them there are already. */
#include "address/domain.h"
#include "base/check.h"
#include "log/events.h"
#include "smtpd/smtpd.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>

/* How long a greeting may be held up by the client's name. */
#define NAME_PATIENCE (10 * OS_SECOND)

struct client_use {
	unsigned sessions;
};

static void read_address(struct client *c, const struct os_addr *peer)
{
	const struct sockaddr_in6 *sin6 = (const struct sockaddr_in6 *)&peer->ss;
	const struct sockaddr_in *sin = (const struct sockaddr_in *)&peer->ss;

	if (peer->ss.ss_family == AF_INET) {
		c->ip = ip_from_bytes(&sin->sin_addr, 4);
		c->port = ntohs(sin->sin_port);
	} else if (peer->ss.ss_family == AF_INET6) {
		/* an IPv4 client of an IPv6 socket is an IPv4 client: ip_from_bytes sees to it */
		c->ip = ip_from_bytes(&sin6->sin6_addr, 16);
		c->port = ntohs(sin6->sin6_port);
	}
}

static void look_up_name(struct session *s)
{
	struct client *c = &s->client;
	struct slice name = SL_NULL, reverse = SL_NULL;
	enum dns_status status;

	if (!s->p->settings->smtpd_peername_lookup || s->p->dns == NULL)
		return;
	status = dns_verify_client(s->p->dns, &c->ip, s->scratch, os_deadline(NAME_PATIENCE), &name,
				   &reverse);
	if (reverse.n > 0 && domain_valid(reverse)) {
		c->reverse = arena_dup(s->arena, reverse);
		c->reverse_status = NAME_OK;
	} else {
		c->reverse_status = status == DNS_TEMPFAIL ? NAME_TEMP : NAME_MISSING;
	}
	if (name.n > 0 && domain_valid(name)) {
		c->name = arena_dup(s->arena, name);
		c->name_status = NAME_OK;
	} else if (status == DNS_TEMPFAIL) {
		c->name_status = NAME_TEMP;
	} else {
		c->name_status = reverse.n > 0 ? NAME_FORGED : NAME_MISSING;
	}
}

void client_identify(struct session *s, const struct os_addr *peer)
{
	struct client *c = &s->client;
	char text[IP_TEXT_SIZE];

	*c = (struct client){.name = SL("unknown"),
			     .reverse = SL("unknown"),
			     .name_status = NAME_TEMP,
			     .reverse_status = NAME_TEMP};
	read_address(c, peer);
	if (c->ip.bits == 0) {
		/* not from the network: sendmail -bs on a socket pair */
		c->name = c->reverse = SL("localhost");
		ip_parse(SL("127.0.0.1"), &c->ip);
		c->name_status = c->reverse_status = NAME_OK;
	}
	c->addr = arena_dup(s->arena, ip_format(&c->ip, text));
	if (c->name_status != NAME_OK)
		look_up_name(s);
	c->full = arena_printf(s->arena, "%.*s[%.*s]", SL_ARG(c->name), SL_ARG(c->addr));
}

static bool is_excepted(struct session *s)
{
	return match_list_address(s->p->limit_exceptions, s->client.name, s->client.addr,
				  s->scratch, NULL) == TABLE_FOUND;
}

/* is_one_too_many - *others: sessions of this client that are open already. */
static bool is_one_too_many(const struct session *s, unsigned *others)
{
	const struct client_use *use = map_get(s->p->clients, s->client.addr);
	int limit = s->p->settings->smtpd_client_connection_count_limit;

	*others = use != NULL ? use->sessions : 0;
	return limit > 0 && *others >= (unsigned)limit;
}

bool client_admit(struct session *s)
{
	struct slice service = s->p->context != NULL ? s->p->context->service : SL("smtp");
	struct client_use *use;
	unsigned others;

	/* a table may be asked about exceptions, and other sessions come and go meanwhile */
	if (is_one_too_many(s, &others) && !is_excepted(s) && is_one_too_many(s, &others)) {
		LOG(client_concurrency_limit, .count = others + 1, .name = s->client.name,
		    .addr = s->client.addr, .service = service);
		return false;
	}
	use = map_get(s->p->clients, s->client.addr);
	if (use == NULL) {
		use = calloc(1, sizeof(*use));
		if (use == NULL)
			out_of_memory();
		map_put(s->p->clients, s->client.addr, use);
	}
	use->sessions++;
	s->counted = true;
	return true;
}

void client_leave(struct session *s)
{
	struct client_use *use;

	if (!s->counted)
		return;
	s->counted = false;
	use = map_get(s->p->clients, s->client.addr);
	if (--use->sessions > 0)
		return;
	map_remove(s->p->clients, s->client.addr);
	free(use);
}
