/* SPDX-License-Identifier: ISC */
#include "smtp/target.h"
#include "address/domain.h"
#include "address/idna.h"
#include "os/clock.h"

/* How long names may take in all; the resolver gives up earlier. */
#define LOOKUP_TIME (100 * OS_SECOND)
#define DEFAULT_SMTP_PORT 25

/* What one lookup carries along. */
struct finding {
	const struct target_source *source;
	struct arena *arena;
	struct targets *out;
	struct failure *failure; /* the last one */
	uint16_t port;
	int64_t deadline;
};

static void add_target(struct finding *f, struct slice host, const struct ip_addr *addr,
		       unsigned preference)
{
	struct targets *t = f->out;
	struct target *more;

	if (t->count == t->size) {
		t->size = t->size > 0 ? 2 * t->size : 8;
		more = ARENA_ARRAY(f->arena, t->size, struct target);
		if (t->count > 0)
			memcpy(more, t->items, t->count * sizeof(*more));
		t->items = more;
	}
	t->items[t->count] = (struct target){
	    .host = host, .addr = *addr, .port = f->port, .preference = preference};
	if (f->source->conf->randomize)
		os_random(&t->items[t->count].chance, sizeof(t->items[t->count].chance));
	else
		t->items[t->count].chance = (uint32_t)t->count;
	t->count++;
}

/* name_failure - in the words of the DNS: which name, which type. */
static struct failure name_failure(struct finding *f, struct slice name, const char *type,
				   enum dns_status status)
{
	const char *dsn = status == DNS_TEMPFAIL ? "4.4.3" : "5.4.4";
	struct failure failure;

	if (!f->source->conf->use_dns) {
		failure = failure_make(f->arena, dsn, "unable to look up host %.*s: %s", SL_ARG(name),
				       dns_status_text(status));
	} else {
		failure = failure_make(f->arena, dsn,
				       "Host or domain name not found. Name service error for "
				       "name=%.*s type=%s: %s",
				       SL_ARG(name), type, dns_status_text(status));
	}
	failure.destination = failure.result == RES_TEMP;
	return failure;
}

/* find_host - all addresses of one host. */
static void find_host(struct finding *f, struct slice host, unsigned preference)
{
	const struct client_conf *conf = f->source->conf;
	struct dns_addresses found;
	struct ip_addr literal;

	if (ip_parse_bracketed(host, &literal) || domain_parse_literal(host, &literal)) {
		add_target(f, host, &literal, preference);
		return;
	}
	if (!domain_valid(host)) { /* a name in the DNS may hold any byte; that of a host may not */
		*f->failure = name_failure(f, host, "A", DNS_INVALID);
		return;
	}
	dns_lookup_addresses(f->source->dns, host, &conf->families, f->arena, f->deadline, &found);
	for (size_t i = 0; i < found.count; i++)
		add_target(f, host, &found.addresses[i], preference);
	if (found.count == 0)
		*f->failure = name_failure(f, host, conf->families.ipv6 ? "AAAA" : "A", found.status);
}

static void no_address(struct finding *f)
{
	if (f->source->conf->defer_if_no_address && f->failure->result == RES_PERM)
		failure_soften(f->arena, f->failure);
}

static void loops_back(struct finding *f, struct slice name)
{
	*f->failure = failure_make(f->arena, "5.4.6", "mail for %.*s loops back to myself", SL_ARG(name));
}

/* drop_self - mail never goes to this machine, nor away from the best host. */
static void drop_self(struct finding *f, struct slice name, unsigned best)
{
	struct targets *t = f->out;
	unsigned best_found = t->count > 0 ? t->items[0].preference : best;

	if (!t->detect_loops || t->count == 0)
		return;
	t->count = targets_before_self(t->items, t->count, f->source->own);
	if (t->count > 0)
		return;
	if (best == best_found)
		loops_back(f, name);
	else
		*f->failure = failure_make(f->arena, "4.4.4",
					   "unable to find primary relay for %.*s", SL_ARG(name));
}

static void find_exchanges(struct finding *f, struct slice name, const struct dns_answer *mx)
{
	for (size_t i = 0; i < mx->record_count; i++)
		find_host(f, mx->records[i].data, mx->records[i].preference);
	if (f->out->count == 0)
		no_address(f);
	targets_sort(f->out->items, f->out->count, &f->source->conf->families);
	drop_self(f, name, mx->record_count > 0 ? mx->records[0].preference : 0);
}

static void find_plain(struct finding *f, struct slice name)
{
	find_host(f, name, TARGET_NO_PREFERENCE);
	targets_sort(f->out->items, f->out->count, &f->source->conf->families);
	drop_self(f, name, TARGET_NO_PREFERENCE);
}

/* find_domain - RFC 5321 5.1: its MX hosts; its own addresses when it has none. */
static void find_domain(struct finding *f, struct slice name)
{
	struct dns_answer mx;
	bool null_mx;
	enum dns_status status =
	    dns_lookup_mx(f->source->dns, name, f->arena, f->deadline, &mx, &null_mx);

	if (null_mx) {
		/* RFC 7505 */
		*f->failure = failure_make(f->arena, "5.1.10", "Domain %.*s does not accept mail (nullMX)",
					   SL_ARG(name));
	} else if (status == DNS_FOUND) {
		find_exchanges(f, name, &mx);
	} else if (status == DNS_TEMPFAIL && !f->source->conf->settings->ignore_mx_lookup_error) {
		*f->failure = name_failure(f, name, "MX", status);
	} else if (status == DNS_INVALID) {
		*f->failure = name_failure(f, name, "MX", status);
	} else {
		find_plain(f, name);
	}
}

static bool usable_family(const struct client_conf *conf, const struct ip_addr *ip)
{
	return ip->bits == 128 ? conf->families.ipv6 : conf->families.ipv4;
}

/* drop_families - literals, in an MX record or in the destination, may be of one that is switched off. */
static void drop_families(struct finding *f)
{
	size_t kept = 0;

	for (size_t i = 0; i < f->out->count; i++)
		if (usable_family(f->source->conf, &f->out->items[i].addr))
			f->out->items[kept++] = f->out->items[i];
	if (kept == 0 && f->out->count > 0)
		*f->failure = name_failure(f, f->out->items[0].host,
					   f->source->conf->families.ipv6 ? "AAAA" : "A", DNS_NODATA);
	f->out->count = kept;
}

static enum result find_inet(struct finding *f, const struct nexthop *hop)
{
	const struct client_conf *conf = f->source->conf;
	struct slice host = hop->host, ascii;
	struct ip_addr literal;
	bool is_literal = ip_parse_bracketed(host, &literal) || domain_parse_literal(host, &literal);

	if (idna_to_ascii(f->arena, host, &ascii))
		host = ascii;
	f->out->detect_loops = !conf->lmtp && f->port == DEFAULT_SMTP_PORT;
	if (hop->mx && conf->use_dns && !is_literal)
		find_domain(f, host);
	else
		find_plain(f, host);
	drop_families(f);
	f->out->count = targets_limit(f->out->items, f->out->count,
				      conf->address_limit > 0 ? (size_t)conf->address_limit : 0,
				      conf->balance_families);
	return f->out->count > 0 ? RES_OK : f->failure->result;
}

enum result targets_find(const struct target_source *source, const struct nexthop *hop,
			 struct slice destination, struct arena *arena, struct targets *out,
			 struct failure *failure)
{
	struct finding f = {source, arena, out, failure, 0, os_deadline(LOOKUP_TIME)};
	const struct ip_addr none = {.bits = 0};

	*out = (struct targets){.count = 0};
	if (!slice_is_null(hop->path)) {
		add_target(&f, hop->path, &none, 0);
		return RES_OK;
	}
	f.port = nexthop_port(hop->port, source->conf->settings->known_tcp_ports);
	if (f.port == 0) {
		*failure = failure_make(arena, "4.3.5", "unknown port \"%.*s\" in destination \"%.*s\"",
					SL_ARG(hop->port), SL_ARG(destination));
		return RES_TEMP;
	}
	return find_inet(&f, hop);
}
