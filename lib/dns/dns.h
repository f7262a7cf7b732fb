/* SPDX-License-Identifier: ISC */
/*
 * dns - client of the resolver daemon: what mail programs ask the DNS for. For fibers. No DNS packet is
 * parsed here. One client a process; many lookups in flight on one connection.
 *
 * Names are ASCII (A-labels), a final dot is allowed and dropped. Answers lie in the caller's arena.
 */
#ifndef DNS_DNS_H
#define DNS_DNS_H

#include "base/arena.h"
#include "base/ip.h"

enum dns_status {
	DNS_FOUND,
	DNS_NODATA,   /* the name exists, not with this type */
	DNS_NXDOMAIN, /* no such name */
	DNS_TEMPFAIL, /* no answer, server failure, bogus signature, resolver down: try again later */
	DNS_INVALID   /* this cannot be a name in the DNS */
};

/* dns_status_text - for replies and logs: "Host not found", "Host not found, try again" ... */
const char *dns_status_text(enum dns_status status);

/* Types, as RFC 1035 and others number them. */
#define DNS_TYPE_A 1
#define DNS_TYPE_NS 2
#define DNS_TYPE_CNAME 5
#define DNS_TYPE_PTR 12
#define DNS_TYPE_MX 15
#define DNS_TYPE_TXT 16
#define DNS_TYPE_AAAA 28
#define DNS_TYPE_SRV 33
#define DNS_TYPE_TLSA 52

struct dns_record {
	uint16_t preference; /* MX; SRV: priority */
	uint16_t weight;     /* SRV */
	uint16_t port;	     /* SRV */
	struct slice data;   /* A, AAAA: 4 or 16 bytes; MX, NS, PTR, CNAME, SRV: a name without final dot
			      * ("" is the root: null MX); TXT: its strings joined; others: RDATA */
};

struct dns_answer {
	enum dns_status status;
	bool validated;         /* by DNSSEC, the whole chain of it */
	uint32_t ttl;           /* seconds */
	struct slice canonical; /* name at the end of CNAMEs, or the name itself */
	struct slice why;       /* of a failure, for people; never absent then */
	struct dns_record *records;
	size_t record_count;
};

struct dns_client;

/* dns_client_create - `path` of the resolver's socket: "private/resolver". No connection yet. */
struct dns_client *dns_client_create(const char *path);
/* dns_client_destroy - nobody may be looking up. Sets *client to NULL. */
void dns_client_destroy(struct dns_client **client);

/* dns_lookup - any type, records in the order they came. Returns answer->status. */
enum dns_status dns_lookup(struct dns_client *client, uint16_t type, struct slice name,
			   struct arena *arena, int64_t deadline, struct dns_answer *answer);

/*
 * dns_lookup_mx - sorted by preference, equal ones in random order. *null_mx: the domain says that it takes
 * no mail (RFC 7505); status is DNS_FOUND then. No MX: DNS_NODATA, and the name itself may be asked
 * for addresses (RFC 5321 5.1).
 */
enum dns_status dns_lookup_mx(struct dns_client *client, struct slice name, struct arena *arena,
			      int64_t deadline, struct dns_answer *answer, bool *null_mx);

/* Which addresses, in which order: from inet_protocols and smtp_address_preference. */
struct dns_families {
	bool ipv4;
	bool ipv6;
	enum { DNS_PREFER_ANY, DNS_PREFER_IPV4, DNS_PREFER_IPV6 } prefer;
	bool native; /* /etc/hosts first: smtp_host_lookup has "native" */
};

/* dns_families_parse - texts of inet_protocols ("all", "ipv4", "ipv6, ipv4"), smtp_address_preference
 * ("any", "ipv6", "ipv4"), smtp_host_lookup ("dns", "native", "dns, native"). */
void dns_families_parse(struct slice inet_protocols, struct slice preference,
			struct slice host_lookup, struct dns_families *out);

struct dns_addresses {
	enum dns_status status;
	bool validated;
	uint32_t ttl;
	struct slice canonical;
	struct slice why;
	struct ip_addr *addresses;
	size_t count;
};

/*
 * dns_lookup_addresses - A and AAAA at once, shuffled within a family. An IP literal, in brackets or not, is
 * its own answer ("IPv6:" in front allowed). Found when either is; TEMPFAIL when nothing was found and
 * one of the two failed for now.
 */
enum dns_status dns_lookup_addresses(struct dns_client *client, struct slice name,
				     const struct dns_families *families, struct arena *arena,
				     int64_t deadline, struct dns_addresses *out);

/* dns_lookup_ptr - name of an address; the first one where there are several. */
enum dns_status dns_lookup_ptr(struct dns_client *client, const struct ip_addr *ip, bool hosts,
			       struct arena *arena, int64_t deadline, struct dns_answer *answer);
/*
 * dns_verify_client - the name of an SMTP client as smtpd uses it: PTR, then that name's
 * addresses must have the client's. *reverse: the unverified name (or absent); *name: the verified one
 * (or absent). DNS_FOUND, DNS_NXDOMAIN (no name, or one that does not lead back), DNS_TEMPFAIL.
 */
enum dns_status dns_verify_client(struct dns_client *client, const struct ip_addr *ip,
				  struct arena *arena, int64_t deadline, struct slice *name,
				  struct slice *reverse);
/* dns_reverse_name - "4.3.2.1.in-addr.arpa", nibbles under ip6.arpa. */
struct slice dns_reverse_name(struct arena *arena, const struct ip_addr *ip);

#endif
