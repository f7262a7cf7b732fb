/* SPDX-License-Identifier: ISC */
#include "blocking/common/ldap_quote.h"

static bool append_hex(struct buffer *out, char c)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char byte = (unsigned char)c;
	const char text[] = {'\\', digits[byte >> 4], digits[byte & 15]};

	return buffer_append(out, slice(text, sizeof(text)));
}

bool ldap_quote_filter(void *context, struct slice part, struct buffer *out)
{
	(void)context;
	for (size_t i = 0; i < part.n; i++) {
		char c = part.p[i];

		if (c == '*' || c == '(' || c == ')' || c == '\\' || c == '\0')
			append_hex(out, c);
		else
			buffer_append_byte(out, c);
	}
	return !buffer_overflowed(out);
}

/* dn_special - may the byte at this place not stand for itself? */
static bool dn_special(struct slice part, size_t at)
{
	char c = part.p[at];

	if (c == ' ')
		return at == 0 || at + 1 == part.n;
	return c == '\0' || strchr("\"+,;<>\\#=", c) != NULL;
}

bool ldap_quote_dn(void *context, struct slice part, struct buffer *out)
{
	(void)context;
	for (size_t i = 0; i < part.n; i++) {
		if (dn_special(part, i))
			append_hex(out, part.p[i]);
		else
			buffer_append_byte(out, part.p[i]);
	}
	return !buffer_overflowed(out);
}
