/* SPDX-License-Identifier: ISC */
#include "address/domain.h"
#include "address/utf8.h"

#define DOMAIN_MAX 255
#define LABEL_MAX 63
/* A label in UTF-8 may be longer than its A-label of 63 bytes. */
#define ULABEL_MAX 252

static bool label_valid(struct slice label, bool utf8)
{
	bool ascii = true;

	if (label.n == 0 || label.n > ULABEL_MAX)
		return false;
	if (label.p[0] == '-' || label.p[label.n - 1] == '-')
		return false;
	for (size_t i = 0; i < label.n; i++) {
		char c = label.p[i];

		if (!ascii_isalnum(c) && c != '-' && c != '_' && !(utf8 && (unsigned char)c > 127))
			return false;
		ascii = ascii && (unsigned char)c <= 127;
	}
	return !ascii || label.n <= LABEL_MAX;
}

static bool all_numeric(struct slice name)
{
	for (size_t i = 0; i < name.n; i++)
		if (!ascii_isdigit(name.p[i]) && name.p[i] != '.')
			return false;
	return true;
}

static bool labels_valid(struct slice name, bool utf8)
{
	if (name.n == 0 || name.n > DOMAIN_MAX || all_numeric(name))
		return false;
	for (;;) {
		ssize_t dot = slice_find(name, '.');

		if (dot < 0)
			return label_valid(name, utf8);
		if (!label_valid(slice_sub(name, 0, (size_t)dot), utf8))
			return false;
		name = slice_from(name, (size_t)dot + 1);
	}
}

bool domain_valid(struct slice name)
{
	return labels_valid(name, false);
}

bool domain_valid_utf8(struct slice name)
{
	return labels_valid(name, true) && utf8_valid(name);
}

bool domain_is_fqdn(struct slice name)
{
	if (name.n > 0 && name.p[name.n - 1] == '.')
		name.n--;
	return slice_find(name, '.') >= 0 && domain_valid_utf8(name);
}

bool domain_is_literal(struct slice domain)
{
	return domain.n > 0 && domain.p[0] == '[';
}

bool domain_parse_literal(struct slice domain, struct ip_addr *out)
{
	struct slice inner;
	bool tagged;

	if (domain.n < 2 || domain.p[0] != '[' || domain.p[domain.n - 1] != ']')
		return false;
	inner = slice_sub(domain, 1, domain.n - 1);
	tagged = slice_casestarts(inner, SL("IPv6:"));
	if (tagged)
		inner = slice_from(inner, strlen("IPv6:"));
	/* The tag and the family must agree. */
	return (slice_find(inner, ':') >= 0) == tagged && ip_parse(inner, out);
}

struct slice domain_format_literal(const struct ip_addr *ip, char text[IP_TEXT_SIZE])
{
	char bare[IP_TEXT_SIZE];
	struct slice address = ip_format(ip, bare);
	struct slice open = ip->bits == 128 ? SL("[IPv6:") : SL("[");

	memcpy(text, open.p, open.n);
	memcpy(text + open.n, address.p, address.n);
	memcpy(text + open.n + address.n, "]", 2);
	return slice(text, open.n + address.n + 1);
}

bool domain_has_parent(struct slice name, struct slice parent)
{
	return name.n > parent.n + 1 && parent.n > 0 && name.p[name.n - parent.n - 1] == '.' &&
	       slice_caseends(name, parent);
}

struct slice domain_parent(struct slice name)
{
	ssize_t dot = slice_find(name, '.');

	return dot < 0 ? SL_NULL : slice_from(name, (size_t)dot + 1);
}
