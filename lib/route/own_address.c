/* SPDX-License-Identifier: ISC */
/* own_address - see own_address.h. */
#include "os/host.h"
#include "route/route_state.h"

#include <netdb.h>
#include <netinet/in.h>

#define OWN_MAX 512

static void add(struct own_addresses *own, const struct ip_addr *ip)
{
	if (ip->bits != 0 && own->count < OWN_MAX && !own_addresses_contain(own, ip))
		own->items[own->count++] = *ip;
}

static void add_sockaddr(struct own_addresses *own, const struct sockaddr *sa)
{
	struct ip_addr ip = {.bits = 0};

	if (sa == NULL)
		return;
	if (sa->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const void *)sa;

		ip = ip_from_bytes(&in->sin_addr, 4);
	} else if (sa->sa_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const void *)sa;

		ip = ip_from_bytes(&in6->sin6_addr, 16);
	}
	add(own, &ip);
}

static void add_interfaces(struct own_addresses *own, struct arena *arena, bool loopback_only)
{
	struct os_interface *all;
	size_t count = os_interfaces(arena, &all);

	for (size_t i = 0; i < count; i++)
		if (!loopback_only || all[i].loopback)
			add(own, &all[i].addr);
}

static void add_name(struct own_addresses *own, struct arena *arena, struct slice name)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *all;
	const char *text = arena_str(arena, name);
	struct ip_addr ip;

	if (ip_parse_bracketed(name, &ip)) {
		add(own, &ip);
		return;
	}
	if (text == NULL || getaddrinfo(text, NULL, &hints, &all) != 0)
		return;
	for (const struct addrinfo *one = all; one != NULL; one = one->ai_next)
		add_sockaddr(own, one->ai_addr);
	freeaddrinfo(all);
}

static void add_list(struct own_addresses *own, struct arena *arena, struct slice list)
{
	struct slice word;

	while (settings_next_word(&list, &word)) {
		if (slice_caseeq(word, SL("all")))
			add_interfaces(own, arena, false);
		else if (slice_caseeq(word, SL("loopback-only")))
			add_interfaces(own, arena, true);
		else
			add_name(own, arena, word);
	}
}

void own_addresses_load(const struct settings *settings, struct arena *arena,
			struct own_addresses *own)
{
	own->count = 0;
	own->items = ARENA_ARRAY(arena, OWN_MAX, struct ip_addr);
	add_list(own, arena, settings->inet_interfaces);
	add_list(own, arena, settings->proxy_interfaces);
}

bool own_addresses_contain(const struct own_addresses *own, const struct ip_addr *ip)
{
	for (size_t i = 0; i < own->count; i++)
		if (ip_equal(&own->items[i], ip))
			return true;
	return false;
}
