/* SPDX-License-Identifier: ISC */
#include "base/ip.h"

#include <arpa/inet.h>
#include <stdio.h>

static const uint8_t mapped_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

struct ip_addr ip_from_bytes(const void *bytes, size_t n)
{
	struct ip_addr ip = {0};

	if (n == 16 && memcmp(bytes, mapped_prefix, 12) == 0) {
		bytes = (const uint8_t *)bytes + 12;
		n = 4;
	}
	if (n == 4 || n == 16) {
		memcpy(ip.bytes, bytes, n);
		ip.bits = (unsigned)n * 8;
	}
	return ip;
}

bool ip_parse(struct slice s, struct ip_addr *out)
{
	char text[INET6_ADDRSTRLEN];
	uint8_t bytes[16];
	size_t n;

	if (s.n == 0 || s.n >= sizeof(text) || slice_find(s, '\0') >= 0)
		return false;
	memcpy(text, s.p, s.n);
	text[s.n] = '\0';
	if (inet_pton(AF_INET, text, bytes) == 1)
		n = 4;
	else if (inet_pton(AF_INET6, text, bytes) == 1)
		n = 16;
	else
		return false;
	*out = ip_from_bytes(bytes, n);
	return true;
}

static struct slice without_brackets(struct slice s)
{
	if (s.n >= 2 && s.p[0] == '[' && s.p[s.n - 1] == ']')
		return slice_sub(s, 1, s.n - 1);
	return s;
}

bool ip_parse_bracketed(struct slice s, struct ip_addr *out)
{
	return ip_parse(without_brackets(s), out);
}

struct slice ip_format(const struct ip_addr *ip, char text[IP_TEXT_SIZE])
{
	text[0] = '\0';
	if (ip->bits == 32 || ip->bits == 128)
		inet_ntop(ip->bits == 32 ? AF_INET : AF_INET6, ip->bytes, text, IP_TEXT_SIZE);
	return slice_str(text);
}

bool ip_equal(const struct ip_addr *a, const struct ip_addr *b)
{
	return a->bits == b->bits && memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

struct ip_net ip_net_of(const struct ip_addr *ip, unsigned prefix)
{
	struct ip_net net = {.addr = *ip, .prefix = prefix < ip->bits ? prefix : ip->bits};

	for (unsigned i = 0; i < 16; i++) {
		if (net.prefix <= i * 8)
			net.addr.bytes[i] = 0;
		else if (net.prefix < i * 8 + 8)
			net.addr.bytes[i] &= (uint8_t)(0xff00u >> (net.prefix - i * 8));
	}
	return net;
}

enum ip_net_error ip_net_parse(struct slice s, struct ip_net *out)
{
	ssize_t slash = slice_rfind(s, '/');
	struct ip_addr ip;
	uint64_t prefix;

	if (!ip_parse_bracketed(slash < 0 ? s : slice_sub(s, 0, (size_t)slash), &ip))
		return IP_NET_BAD_ADDRESS;
	prefix = ip.bits;
	if (slash >= 0 &&
	    (!slice_u64(slice_from(s, (size_t)slash + 1), &prefix) || prefix > 128))
		return IP_NET_BAD_PREFIX;
	/* ::ffff:192.0.2.0/120 is an IPv4 network written as an IPv6 one */
	if (slash >= 0 && ip.bits == 32 && prefix >= 96 && slice_find(s, ':') >= 0)
		prefix -= 96;
	if (prefix > ip.bits)
		return IP_NET_BAD_PREFIX;
	*out = ip_net_of(&ip, (unsigned)prefix);
	return ip_equal(&out->addr, &ip) ? IP_NET_OK : IP_NET_HOST_BITS;
}

bool ip_net_is_meant(struct slice word)
{
	bool digits = true, hex = true, slash = slice_find(word, '/') >= 0;
	size_t colons = 0;

	if (word.n == 0 || word.p[0] == '/' || word.p[0] == '.')
		return false;
	if (word.p[0] == '[')
		return slash || slice_find(word, ':') >= 0;
	for (size_t i = 0; i < word.n; i++) {
		char c = word.p[i];

		digits = digits && (ascii_isdigit(c) || c == '.' || c == '/');
		hex = hex && (ascii_isdigit(c) || ((c | 32) >= 'a' && (c | 32) <= 'f') || c == '.' ||
			      c == '/' || c == ':');
		colons += c == ':';
	}
	/* type:/file has one colon and a slash; 2001:db8::/32 is nothing but hex digits, and two colons */
	return digits || (hex && colons > 1) || (slash && colons == 0);
}

const char *ip_net_error_text(enum ip_net_error error)
{
	switch (error) {
	case IP_NET_OK:
		return "ok";
	case IP_NET_BAD_ADDRESS:
		return "not an IP address";
	case IP_NET_BAD_PREFIX:
		return "bad prefix length";
	case IP_NET_HOST_BITS:
		return "non-null host address bits behind the prefix";
	}
	return "unknown";
}

bool ip_net_contains(const struct ip_net *net, const struct ip_addr *ip)
{
	struct ip_net of;

	if (net->addr.bits != ip->bits)
		return false;
	of = ip_net_of(ip, net->prefix);
	return ip_equal(&of.addr, &net->addr);
}
