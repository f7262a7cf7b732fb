/* SPDX-License-Identifier: ISC */
#include "config/host.h"

#include "base/buffer.h"

#define NETWORKS_LIMIT ((size_t)64 << 10)

struct slice host_default_name(struct arena *arena, struct slice node, struct slice domain)
{
	if (slice_find(node, '.') >= 0)
		return arena_dup(arena, node);
	return arena_printf(arena, "%.*s.%.*s", SL_ARG(node), SL_ARG(domain));
}

struct slice host_default_domain(struct slice hostname)
{
	ssize_t dot = slice_find(hostname, '.');

	return dot < 0 ? SL("localdomain") : slice_from(hostname, (size_t)dot + 1);
}

static bool protocol_wanted(struct slice protocols, unsigned bits)
{
	struct slice word;

	while (slice_next(&protocols, ", \t\r\n", &word))
		if (slice_caseeq(word, SL("all")) ||
		    slice_caseeq(word, bits == 32 ? SL("ipv4") : SL("ipv6")))
			return true;
	return false;
}

static bool interface_wanted(struct slice interfaces, const struct os_interface *one)
{
	struct slice word;
	struct ip_addr addr;

	while (slice_next(&interfaces, ", \t\r\n", &word)) {
		if (slice_caseeq(word, SL("all")))
			return true;
		if (ip_parse_bracketed(word, &addr)) {
			if (ip_equal(&addr, &one->addr))
				return true;
		} else if (one->loopback) {
			return true;
		}
	}
	return false;
}

/* class_prefix - of the days before CIDR: A, B, C by the first bits. */
static unsigned class_prefix(const struct os_interface *one)
{
	if (one->addr.bits != 32)
		return one->prefix;
	if (one->addr.bytes[0] < 128)
		return 8;
	return one->addr.bytes[0] < 192 ? 16 : 24;
}

static unsigned style_prefix(struct slice style, const struct os_interface *one)
{
	if (slice_caseeq(style, SL("subnet")))
		return one->prefix;
	if (slice_caseeq(style, SL("class")))
		return class_prefix(one);
	return one->addr.bits;
}

static bool seen_before(struct slice list, struct slice net)
{
	struct slice word;

	while (slice_next(&list, " ", &word))
		if (slice_eq(word, net))
			return true;
	return false;
}

static void add_network(struct arena *arena, struct buffer *list, struct ip_net net)
{
	char text[IP_TEXT_SIZE];
	struct slice address = ip_format(&net.addr, text);
	struct slice word = net.addr.bits == 32
				? arena_printf(arena, "%.*s/%u", SL_ARG(address), net.prefix)
				: arena_printf(arena, "[%.*s]/%u", SL_ARG(address), net.prefix);

	if (seen_before(buffer_slice(list), word))
		return;
	if (list->len > 0)
		buffer_append_byte(list, ' ');
	buffer_append(list, word);
}

struct slice host_default_networks(struct arena *arena, const struct os_interface *all,
				   size_t count, struct slice style, struct slice interfaces,
				   struct slice protocols)
{
	static const unsigned families[] = {32, 128};
	struct buffer list;
	struct slice result;

	buffer_init(&list, NETWORKS_LIMIT);
	for (size_t f = 0; f < 2; f++)
		for (size_t i = 0; i < count; i++)
			if (all[i].addr.bits == families[f] &&
			    protocol_wanted(protocols, families[f]) &&
			    interface_wanted(interfaces, &all[i]))
				add_network(arena, &list,
					    ip_net_of(&all[i].addr, style_prefix(style, &all[i])));
	result = arena_dup(arena, buffer_slice(&list));
	buffer_free(&list);
	return result;
}
