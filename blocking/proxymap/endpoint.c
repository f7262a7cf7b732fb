/* SPDX-License-Identifier: ISC */
#include "blocking/proxymap/endpoint.h"

#include "base/ip.h"
#include "config/settings.h"
#include "dns/dns.h"
#include "fiber/fiber.h"
#include "os/address.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/un.h>

/* Of a name with more addresses than this, the others are not tried. */
#define ADDRESSES_MAX 16

struct resolving {
	struct dns_client *client; /* NULL: the C library */
	struct dns_families families;
};

/* ---- what the configuration says */

static bool parse_port(struct slice text, struct arena *arena, uint16_t *port)
{
	struct servent service, *found = NULL;
	const char *name = arena_str(arena, text);
	char record[1024];
	uint64_t number;

	if (slice_u64(text, &number)) {
		*port = (uint16_t)number;
		return number > 0 && number <= UINT16_MAX;
	}
	if (name == NULL || text.n == 0 ||
	    getservbyname_r(name, "tcp", &service, record, sizeof(record), &found) != 0 ||
	    found == NULL)
		return false;
	*port = ntohs((uint16_t)service.s_port);
	return true;
}

static bool parse_inet(struct slice text, struct arena *arena, struct endpoint *out)
{
	ssize_t colon = slice_rfind(text, ':');
	struct slice host;

	if (colon <= 0)
		return false;
	host = slice_sub(text, 0, (size_t)colon);
	if (host.p[0] == '[' && host.p[host.n - 1] == ']')
		host = slice_sub(host, 1, host.n - 1);
	else if (slice_find(host, ':') >= 0)
		return false;
	out->host = arena_dup(arena, host);
	return host.n > 0 && parse_port(slice_from(text, (size_t)colon + 1), arena, &out->port);
}

static bool parse_unix(struct slice path, struct arena *arena, struct endpoint *out)
{
	struct sockaddr_un un;

	out->path = arena_str(arena, path);
	return out->path != NULL && path.n > 0 && path.n < sizeof(un.sun_path);
}

bool endpoint_parse(struct slice text, bool bare, struct arena *arena, struct endpoint *out,
		    struct slice *why)
{
	bool good;

	*out = (struct endpoint){.path = NULL};
	if (slice_starts(text, SL("unix:")) && !bare)
		good = parse_unix(slice_from(text, 5), arena, out);
	else if (slice_starts(text, SL("inet:")) && !bare)
		good = parse_inet(slice_from(text, 5), arena, out);
	else
		good = bare && parse_inet(text, arena, out);
	if (!good)
		*why = arena_printf(arena, "\"%.*s\" is no server: %s is allowed", SL_ARG(text),
				    bare ? "HOST:PORT" : "inet:HOST:PORT or unix:PATH");
	return good;
}

/* ---- names to addresses */

struct resolving *resolving_create(const struct settings *settings, bool direct,
				   struct arena *arena)
{
	struct resolving *r = ARENA_NEW(arena, struct resolving);

	dns_families_parse(settings != NULL ? settings->inet_protocols : SL("all"), SL("any"),
			   SL("native, dns"), &r->families);
	if (!direct)
		r->client = dns_client_create("private/resolver");
	return r;
}

static size_t ask_resolver(struct resolving *r, struct slice host, int64_t deadline,
			   struct arena *arena, const struct ip_addr **found, struct slice *why)
{
	struct dns_addresses answer;

	if (dns_lookup_addresses(r->client, host, &r->families, arena, deadline, &answer) !=
	    DNS_FOUND) {
		*why = arena_printf(arena, "%.*s: %.*s", SL_ARG(host), SL_ARG(answer.why));
		return 0;
	}
	*found = answer.addresses;
	return answer.count;
}

static size_t ask_library(const struct resolving *r, struct slice host, struct arena *arena,
			  const struct ip_addr **found, struct slice *why)
{
	struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM}, *all = NULL;
	struct ip_addr *list = ARENA_ARRAY(arena, ADDRESSES_MAX, struct ip_addr);
	const char *name = arena_str(arena, host);
	size_t count = 0;
	int rc;

	if (r->families.ipv4 != r->families.ipv6)
		hints.ai_family = r->families.ipv4 ? AF_INET : AF_INET6;
	rc = name != NULL ? getaddrinfo(name, NULL, &hints, &all) : EAI_NONAME;
	if (rc != 0) {
		*why = arena_printf(arena, "%.*s: %s", SL_ARG(host), gai_strerror(rc));
		return 0;
	}
	for (const struct addrinfo *a = all; a != NULL && count < ADDRESSES_MAX; a = a->ai_next) {
		const void *bytes =
		    &((const struct sockaddr_in *)(const void *)a->ai_addr)->sin_addr;

		if (a->ai_family == AF_INET6)
			bytes = &((const struct sockaddr_in6 *)(const void *)a->ai_addr)->sin6_addr;
		list[count++] = ip_from_bytes(bytes, a->ai_family == AF_INET6 ? 16 : 4);
	}
	freeaddrinfo(all);
	*found = list;
	return count;
}

static size_t addresses_of(struct resolving *r, struct slice host, int64_t deadline,
			   struct arena *arena, const struct ip_addr **found, struct slice *why)
{
	struct ip_addr *literal = ARENA_NEW(arena, struct ip_addr);
	size_t count;

	*found = literal;
	if (ip_parse(host, literal))
		return 1;
	count = r->client != NULL ? ask_resolver(r, host, deadline, arena, found, why)
				  : ask_library(r, host, arena, found, why);
	return count < ADDRESSES_MAX ? count : ADDRESSES_MAX;
}

/* ---- connections */

static int connect_unix(const char *path, int64_t deadline, struct arena *arena, struct slice *why)
{
	struct os_addr addr;
	int fd = -1;

	if (os_addr_unix(slice_str(path), &addr))
		fd = fiber_connect(&addr, NULL, deadline, "connect");
	if (fd < 0)
		*why = arena_printf(arena, "connect to unix:%s: %s", path, strerror(errno));
	return fd;
}

int endpoint_connect(const struct endpoint *endpoint, struct resolving *resolving, int64_t deadline,
		     struct arena *arena, struct slice *why)
{
	const struct ip_addr *found;
	char text[IP_TEXT_SIZE];
	size_t count;
	int fd = -1;

	if (endpoint->path != NULL)
		return connect_unix(endpoint->path, deadline, arena, why);
	count = addresses_of(resolving, endpoint->host, deadline, arena, &found, why);
	for (size_t i = 0; i < count && fd < 0; i++) {
		int64_t now = os_now();
		/* one that is silent leaves time for the others */
		int64_t share = now + (deadline - now) / (int64_t)(count - i);
		struct os_addr addr;

		os_addr_inet(&found[i], endpoint->port, &addr);
		fd = fiber_connect(&addr, NULL, share, "connect");
		if (fd < 0)
			*why = arena_printf(
			    arena, "connect to %.*s[%.*s]:%u: %s", SL_ARG(endpoint->host),
			    SL_ARG(ip_format(&found[i], text)), endpoint->port, strerror(errno));
	}
	return fd;
}
