/* SPDX-License-Identifier: ISC */
/*
 * ip - addresses and networks as values: text to bytes and back, and whether one lies in the other.
 * No names are looked up. IPv4 in IPv6 (::ffff:a.b.c.d) is taken as the IPv4 address it means.
 */
#ifndef BASE_IP_H
#define BASE_IP_H

#include "base/slice.h"

/* Room for any address in text, brackets and "IPv6:" included, and a NUL. */
#define IP_TEXT_SIZE 64

struct ip_addr {
	unsigned bits;	   /* 32: IPv4, 128: IPv6, 0: none */
	uint8_t bytes[16]; /* network order; what the family does not use is 0 */
};

struct ip_net {
	struct ip_addr addr; /* host bits are 0 */
	unsigned prefix;
};

enum ip_net_error {
	IP_NET_OK,
	IP_NET_BAD_ADDRESS, /* not an address */
	IP_NET_BAD_PREFIX,  /* not a number, or more than the family has */
	IP_NET_HOST_BITS    /* the address has bits set behind the prefix: 10.0.0.1/8 */
};

/* ip_parse - "192.0.2.1" or "2001:db8::1", nothing around it, no zone. */
bool ip_parse(struct slice s, struct ip_addr *out);
/* ip_parse_bracketed - as main.cf writes it: 192.0.2.1, [192.0.2.1], [2001:db8::1], 2001:db8::1. */
bool ip_parse_bracketed(struct slice s, struct ip_addr *out);
/* ip_from_bytes - 4 or 16 bytes in network order, as a struct sockaddr holds them. */
struct ip_addr ip_from_bytes(const void *bytes, size_t n);
/* ip_format - canonical text (RFC 5952) into `text`; returns what it wrote. "" when bits is 0. */
struct slice ip_format(const struct ip_addr *ip, char text[IP_TEXT_SIZE]);
bool ip_equal(const struct ip_addr *a, const struct ip_addr *b);

/* ip_net_parse - ADDRESS or ADDRESS/PREFIX; brackets around the address are allowed. */
enum ip_net_error ip_net_parse(struct slice s, struct ip_net *out);
/*
 * ip_net_is_meant - is this word of a list an address or a network, rather than a name, /file or
 * type:table? Right or wrong; and "[mail.example]" is a name.
 */
bool ip_net_is_meant(struct slice word);
/* ip_net_error_text - for "bad net/mask pattern: ...". */
const char *ip_net_error_text(enum ip_net_error error);
bool ip_net_contains(const struct ip_net *net, const struct ip_addr *ip);
/* ip_net_of - the network of `prefix` bits that the address lies in. */
struct ip_net ip_net_of(const struct ip_addr *ip, unsigned prefix);

#endif
