/* SPDX-License-Identifier: ISC */
/* dns - questions to the resolver daemon, and what mail programs make of the answers. */
#include "dns/dns.h"
#include "base/check.h"
#include "dns/cache.h"
#include "ipc/resolver.h"

#include <errno.h>
#include <stdlib.h>

#define NAME_MAX_TEXT 253

struct dns_client {
	struct ipc_mux *mux;
	struct dns_cache *cache;
};

const char *dns_status_text(enum dns_status status)
{
	switch (status) {
	case DNS_FOUND:
		return "Success";
	case DNS_NODATA:
		return "Host found but no data record of requested type";
	case DNS_NXDOMAIN:
		return "Host not found";
	case DNS_TEMPFAIL:
		return "Host not found, try again";
	case DNS_INVALID:
		return "Malformed domain name";
	}
	return "Host not found, try again";
}

struct dns_client *dns_client_create(const char *path)
{
	struct dns_client *client = calloc(1, sizeof(*client));

	if (client == NULL)
		out_of_memory();
	client->mux = ipc_mux_create(path);
	client->cache = dns_cache_create();
	return client;
}

void dns_client_destroy(struct dns_client **client)
{
	if (*client == NULL)
		return;
	ipc_mux_destroy(&(*client)->mux);
	dns_cache_destroy(&(*client)->cache);
	free(*client);
	*client = NULL;
}

/* ---- one question */

static enum dns_status from_wire(enum resolver_status status)
{
	switch (status) {
	case RESOLVER_STATUS_FOUND:
		return DNS_FOUND;
	case RESOLVER_STATUS_NODATA:
		return DNS_NODATA;
	case RESOLVER_STATUS_NXDOMAIN:
		return DNS_NXDOMAIN;
	case RESOLVER_STATUS_INVALID:
		return DNS_INVALID;
	case RESOLVER_STATUS_TEMPFAIL:
		break;
	}
	return DNS_TEMPFAIL;
}

static struct slice without_dot(struct slice name)
{
	if (name.n > 1 && name.p[name.n - 1] == '.')
		name.n--;
	return name;
}

static void fill_answer(const struct resolver_dns_answer *wire, struct arena *arena,
			struct dns_answer *answer)
{
	answer->status = from_wire(wire->status);
	answer->validated = wire->validated;
	answer->ttl = wire->ttl;
	if (wire->canonical.n > 0)
		answer->canonical = wire->canonical;
	answer->why = wire->why.n > 0 ? wire->why : slice_str(dns_status_text(answer->status));
	answer->record_count = wire->records_count;
	answer->records = ARENA_ARRAY(arena, wire->records_count + 1, struct dns_record);
	for (size_t i = 0; i < wire->records_count; i++) {
		const struct resolver_answer_record *r = &wire->records[i];

		answer->records[i] = (struct dns_record){
		    .preference = r->preference, .weight = r->weight, .port = r->port, .data = r->data};
	}
}

static enum dns_status ask(struct dns_client *client, const struct dns_question *question,
			   struct arena *arena, int64_t deadline, struct dns_answer *answer)
{
	struct resolver_dns_query query = {
	    .type = question->type, .name = question->name, .hosts = question->hosts};
	struct resolver_dns_answer wire;
	enum ipc_status status =
	    ipc_mux_call(client->mux, &resolver_dns_query_message, &query,
			 &resolver_dns_answer_message, arena, &wire, deadline);

	if (status == IPC_OK) {
		fill_answer(&wire, arena, answer);
		dns_cache_put(client->cache, question, os_now(), answer);
	} else if (status != IPC_REFUSED) {
		answer->status = DNS_TEMPFAIL;
		answer->why = arena_printf(arena, "Name service error: resolver: %s",
					   ipc_status_text(status));
	}
	return answer->status;
}

static enum dns_status lookup(struct dns_client *client, uint16_t type, struct slice name,
			      bool hosts, struct arena *arena, int64_t deadline,
			      struct dns_answer *answer)
{
	struct dns_question question = {.type = type, .hosts = hosts, .name = without_dot(name)};

	*answer = (struct dns_answer){.status = DNS_INVALID, .canonical = question.name};
	answer->why = slice_str(dns_status_text(DNS_INVALID));
	if (question.name.n == 0 || question.name.n > NAME_MAX_TEXT)
		return DNS_INVALID;
	if (dns_cache_get(client->cache, &question, os_now(), arena, answer))
		return answer->status;
	return ask(client, &question, arena, deadline, answer);
}

enum dns_status dns_lookup(struct dns_client *client, uint16_t type, struct slice name,
			   struct arena *arena, int64_t deadline, struct dns_answer *answer)
{
	return lookup(client, type, name, false, arena, deadline, answer);
}

/* ---- MX */

static uint32_t random_below(uint32_t n)
{
	uint32_t v;

	os_random(&v, sizeof(v));
	return (uint32_t)(((uint64_t)v * n) >> 32);
}

static void shuffle_records(struct dns_record *records, size_t n)
{
	for (size_t i = n; i > 1; i--) {
		size_t j = random_below((uint32_t)i);
		struct dns_record swap = records[i - 1];

		records[i - 1] = records[j];
		records[j] = swap;
	}
}

static void sort_by_preference(struct dns_record *records, size_t n)
{
	/* insertion: stable, so that the shuffle before it decides among equals; n is small */
	for (size_t i = 1; i < n; i++) {
		struct dns_record r = records[i];
		size_t j = i;

		for (; j > 0 && records[j - 1].preference > r.preference; j--)
			records[j] = records[j - 1];
		records[j] = r;
	}
}

enum dns_status dns_lookup_mx(struct dns_client *client, struct slice name, struct arena *arena,
			      int64_t deadline, struct dns_answer *answer, bool *null_mx)
{
	size_t kept = 0;

	*null_mx = false;
	if (lookup(client, DNS_TYPE_MX, name, false, arena, deadline, answer) != DNS_FOUND)
		return answer->status;
	*null_mx = answer->record_count == 1 && answer->records[0].data.n == 0;
	/* RFC 7505 3: a root exchange beside others is no null MX, and no host either */
	for (size_t i = 0; i < answer->record_count; i++)
		if (*null_mx || answer->records[i].data.n > 0)
			answer->records[kept++] = answer->records[i];
	answer->record_count = kept;
	if (kept == 0)
		answer->status = DNS_NODATA;
	shuffle_records(answer->records, kept);
	sort_by_preference(answer->records, kept);
	return answer->status;
}

/* ---- addresses */

static bool has_word(struct slice list, struct slice word)
{
	struct slice item;

	while (slice_next(&list, " \t\r\n,", &item))
		if (slice_caseeq(item, word))
			return true;
	return false;
}

void dns_families_parse(struct slice inet_protocols, struct slice preference,
			struct slice host_lookup, struct dns_families *out)
{
	bool all = has_word(inet_protocols, SL("all"));

	*out = (struct dns_families){.ipv4 = all || has_word(inet_protocols, SL("ipv4")),
				     .ipv6 = all || has_word(inet_protocols, SL("ipv6")),
				     .native = has_word(host_lookup, SL("native"))};
	out->prefer = has_word(preference, SL("ipv6"))	 ? DNS_PREFER_IPV6
		      : has_word(preference, SL("ipv4")) ? DNS_PREFER_IPV4
							 : DNS_PREFER_ANY;
}

static bool parse_literal(struct slice name, struct ip_addr *ip)
{
	if (name.n > 2 && name.p[0] == '[' && name.p[name.n - 1] == ']')
		name = slice_sub(name, 1, name.n - 1);
	if (slice_casestarts(name, SL("IPv6:")))
		name = slice_from(name, 5);
	return ip_parse(name, ip);
}

/* One family's question, in a fiber of its own. */
struct family_lookup {
	struct dns_client *client;
	uint16_t type;
	struct slice name;
	bool hosts;
	struct arena *arena; /* of its own, gone once the answers are combined */
	int64_t deadline;
	struct dns_answer answer;
};

static void look_up_family(void *arg)
{
	struct family_lookup *f = arg;

	lookup(f->client, f->type, f->name, f->hosts, f->arena, f->deadline, &f->answer);
}

/* look_up_both - at once; the second family's fiber is joined whatever happens. */
static void look_up_both(struct family_lookup *v4, struct family_lookup *v6)
{
	struct fiber *other = fiber_spawn_joinable("dns-aaaa", look_up_family, v6);

	look_up_family(v4);
	if (other == NULL) {
		look_up_family(v6);
		return;
	}
	if (fiber_join(other, OS_NEVER, "dns") == 0)
		return;
	/* cancelled: so is the other one; its end is awaited all the same, for it works on our stack */
	fiber_cancel(other);
	fiber_uncancel();
	while (fiber_join(other, OS_NEVER, "dns") < 0)
		fiber_uncancel();
	fiber_cancel(fiber_self());
}

static void add_addresses(struct dns_addresses *out, const struct dns_answer *answer)
{
	for (size_t i = 0; i < answer->record_count; i++) {
		struct slice data = answer->records[i].data;

		if (data.n == 4 || data.n == 16)
			out->addresses[out->count++] = ip_from_bytes(data.p, data.n);
	}
	if (answer->record_count > 0) {
		out->validated = out->validated && answer->validated;
		out->canonical = answer->canonical;
		if (answer->ttl < out->ttl)
			out->ttl = answer->ttl;
	}
}

/* worst - what two families without an address amount to. */
static const struct dns_answer *worst(const struct dns_answer *a, const struct dns_answer *b)
{
	static const int weight[] = {[DNS_FOUND] = 0,
				     [DNS_NXDOMAIN] = 1,
				     [DNS_INVALID] = 2,
				     [DNS_NODATA] = 3,
				     [DNS_TEMPFAIL] = 4};

	if (a == NULL || b == NULL)
		return a != NULL ? a : b;
	return weight[a->status] >= weight[b->status] ? a : b;
}

static void order_addresses(const struct dns_families *families, struct dns_addresses *out)
{
	unsigned first = families->prefer == DNS_PREFER_IPV6 ? 128 : 32;
	size_t at = 0;

	for (size_t i = out->count; i > 1; i--) {
		size_t j = random_below((uint32_t)i);
		struct ip_addr swap = out->addresses[i - 1];

		out->addresses[i - 1] = out->addresses[j];
		out->addresses[j] = swap;
	}
	if (families->prefer == DNS_PREFER_ANY)
		return;
	for (size_t i = 0; i < out->count; i++) {
		struct ip_addr ip = out->addresses[i];

		if (ip.bits != first)
			continue;
		out->addresses[i] = out->addresses[at];
		out->addresses[at++] = ip;
	}
}

/* combine - the families that were asked (NULL: not) into one result, copied to the caller's arena. */
static void combine(const struct dns_answer *v4, const struct dns_answer *v6,
		    const struct dns_families *families, struct arena *arena,
		    struct dns_addresses *out)
{
	size_t most = (v4 != NULL ? v4->record_count : 0) + (v6 != NULL ? v6->record_count : 0);
	const struct dns_answer *failure = worst(v4, v6);

	out->addresses = ARENA_ARRAY(arena, most + 1, struct ip_addr);
	out->ttl = UINT32_MAX;
	out->validated = true;
	if (v4 != NULL)
		add_addresses(out, v4);
	if (v6 != NULL)
		add_addresses(out, v6);
	out->validated = out->validated && out->count > 0;
	out->status = out->count > 0 ? DNS_FOUND : failure->status;
	if (out->status == DNS_FOUND && out->count == 0)
		out->status = DNS_NODATA;
	out->why = arena_dup(arena, failure->why);
	out->canonical = arena_dup(arena, out->canonical);
	order_addresses(families, out);
}

static void answer_literal(const struct ip_addr *ip, struct slice name,
			   const struct dns_families *families, struct arena *arena,
			   struct dns_addresses *out)
{
	bool usable = ip->bits == 32 ? families->ipv4 : families->ipv6;

	*out = (struct dns_addresses){.status = usable ? DNS_FOUND : DNS_NODATA,
				      .canonical = name,
				      .why = slice_str(dns_status_text(DNS_NODATA)),
				      .addresses = ARENA_NEW(arena, struct ip_addr),
				      .count = usable ? 1 : 0};
	out->addresses[0] = *ip;
}

enum dns_status dns_lookup_addresses(struct dns_client *client, struct slice name,
				     const struct dns_families *families, struct arena *arena,
				     int64_t deadline, struct dns_addresses *out)
{
	struct family_lookup v4 = {client, DNS_TYPE_A, name, families->native, NULL, deadline, {0}};
	struct family_lookup v6 = v4;
	struct ip_addr ip;

	if (parse_literal(name, &ip)) {
		answer_literal(&ip, name, families, arena, out);
		return out->status;
	}
	*out = (struct dns_addresses){.status = DNS_NODATA,
				      .canonical = name,
				      .why = slice_str(dns_status_text(DNS_NODATA))};
	if (!families->ipv4 && !families->ipv6)
		return out->status;
	v6.type = DNS_TYPE_AAAA;
	v4.arena = arena_create();
	v6.arena = arena_create();
	if (families->ipv4 && families->ipv6)
		look_up_both(&v4, &v6);
	else
		look_up_family(families->ipv4 ? &v4 : &v6);
	combine(families->ipv4 ? &v4.answer : NULL, families->ipv6 ? &v6.answer : NULL, families,
		arena, out);
	arena_destroy(&v4.arena);
	arena_destroy(&v6.arena);
	return out->status;
}

/* ---- names of addresses */

struct slice dns_reverse_name(struct arena *arena, const struct ip_addr *ip)
{
	static const char hex[] = "0123456789abcdef";
	char *text;

	if (ip->bits == 32)
		return arena_printf(arena, "%u.%u.%u.%u.in-addr.arpa", ip->bytes[3], ip->bytes[2],
				    ip->bytes[1], ip->bytes[0]);
	text = arena_alloc(arena, 73);
	for (size_t i = 0; i < 16; i++) {
		uint8_t byte = ip->bytes[15 - i];

		text[4 * i] = hex[byte & 15];
		text[4 * i + 1] = '.';
		text[4 * i + 2] = hex[byte >> 4];
		text[4 * i + 3] = '.';
	}
	memcpy(text + 64, "ip6.arpa", 9);
	return slice(text, 72);
}

enum dns_status dns_lookup_ptr(struct dns_client *client, const struct ip_addr *ip, bool hosts,
			       struct arena *arena, int64_t deadline, struct dns_answer *answer)
{
	return lookup(client, DNS_TYPE_PTR, dns_reverse_name(arena, ip), hosts, arena, deadline,
		      answer);
}

/* is_host_name - letters, digits, hyphens, underscores, dots; not a number in all: safe to log and match. */
static bool is_host_name(struct slice name)
{
	bool letter = false;

	for (size_t i = 0; i < name.n; i++) {
		char c = name.p[i];

		if (!ascii_isalnum(c) && c != '-' && c != '_' && c != '.')
			return false;
		letter = letter || !(ascii_isdigit(c) || c == '.');
	}
	return letter && name.n <= NAME_MAX_TEXT;
}

enum dns_status dns_verify_client(struct dns_client *client, const struct ip_addr *ip,
				  struct arena *arena, int64_t deadline, struct slice *name,
				  struct slice *reverse)
{
	struct dns_families families = {
	    .ipv4 = ip->bits == 32, .ipv6 = ip->bits == 128, .native = true};
	struct dns_answer answer;
	struct dns_addresses addresses;

	*name = *reverse = SL_NULL;
	if (dns_lookup_ptr(client, ip, true, arena, deadline, &answer) != DNS_FOUND)
		return answer.status == DNS_TEMPFAIL ? DNS_TEMPFAIL : DNS_NXDOMAIN;
	if (answer.record_count == 0 || !is_host_name(answer.records[0].data))
		return DNS_NXDOMAIN;
	*reverse = answer.records[0].data;
	if (dns_lookup_addresses(client, *reverse, &families, arena, deadline, &addresses) !=
	    DNS_FOUND)
		return addresses.status == DNS_TEMPFAIL ? DNS_TEMPFAIL : DNS_NXDOMAIN;
	for (size_t i = 0; i < addresses.count; i++)
		if (ip_equal(&addresses.addresses[i], ip)) {
			*name = *reverse;
			return DNS_FOUND;
		}
	return DNS_NXDOMAIN;
}
