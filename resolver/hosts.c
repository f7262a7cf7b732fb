/* SPDX-License-Identifier: ISC */
#include "resolver/hosts.h"

/* One name of one line. */
struct entry {
	struct ip_addr ip;
	struct slice name;
};

struct hosts {
	struct entry *entries;
	size_t count;
};

static size_t count_words(struct slice text)
{
	struct slice word;
	size_t n = 0;

	while (slice_next(&text, " \t\r\n", &word))
		n++;
	return n;
}

static void parse_line(struct slice line, struct arena *arena, struct hosts *hosts)
{
	ssize_t hash = slice_find(line, '#');
	struct slice word;
	struct ip_addr ip;

	if (hash >= 0)
		line = slice_sub(line, 0, (size_t)hash);
	if (!slice_next(&line, " \t\r", &word) || !ip_parse(word, &ip))
		return;
	while (slice_next(&line, " \t\r", &word))
		hosts->entries[hosts->count++] = (struct entry){ip, arena_dup(arena, word)};
}

struct hosts *hosts_parse(struct slice text, struct arena *arena)
{
	struct hosts *hosts = ARENA_NEW(arena, struct hosts);
	struct slice line;

	hosts->entries = ARENA_ARRAY(arena, count_words(text) + 1, struct entry);
	while (slice_next(&text, "\n", &line))
		parse_line(line, arena, hosts);
	return hosts;
}

size_t hosts_addresses(const struct hosts *hosts, struct slice name, unsigned bits,
		       struct ip_addr *out, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < hosts->count && n < max; i++)
		if (hosts->entries[i].ip.bits == bits && slice_caseeq(hosts->entries[i].name, name))
			out[n++] = hosts->entries[i].ip;
	return n;
}

struct slice hosts_name(const struct hosts *hosts, const struct ip_addr *ip)
{
	for (size_t i = 0; i < hosts->count; i++)
		if (ip_equal(&hosts->entries[i].ip, ip))
			return hosts->entries[i].name;
	return SL_NULL;
}

static int hex_digit(char c)
{
	c = ascii_lower(c);
	if (ascii_isdigit(c))
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool from_ip6_arpa(struct slice nibbles, struct ip_addr *ip)
{
	uint8_t bytes[16];

	if (nibbles.n != 63)
		return false;
	for (size_t i = 0; i < 16; i++) {
		const char *p = nibbles.p + 4 * i;
		int low = hex_digit(p[0]);
		int high = hex_digit(p[2]);

		if (low < 0 || high < 0 || p[1] != '.' || (i < 15 && p[3] != '.'))
			return false;
		bytes[15 - i] = (uint8_t)(high << 4 | low);
	}
	*ip = ip_from_bytes(bytes, 16);
	return true;
}

static bool from_in_addr_arpa(struct slice text, struct ip_addr *ip)
{
	struct slice part;
	uint8_t bytes[4];

	for (size_t i = 0; i < 4; i++) {
		uint64_t v;

		if (!slice_next(&text, ".", &part) || !slice_u64(part, &v) || v > 255)
			return false;
		bytes[3 - i] = (uint8_t)v;
	}
	*ip = ip_from_bytes(bytes, 4);
	return text.n == 0;
}

bool ip_from_reverse(struct slice name, struct ip_addr *ip)
{
	if (slice_caseends(name, SL(".in-addr.arpa")))
		return from_in_addr_arpa(slice_sub(name, 0, name.n - 13), ip);
	if (slice_caseends(name, SL(".ip6.arpa")))
		return from_ip6_arpa(slice_sub(name, 0, name.n - 9), ip);
	return false;
}
