/* SPDX-License-Identifier: ISC */
#include "resolver/rdata.h"
#include "dns/dns.h"

#define LABEL_MAX 63u
#define NAME_WIRE_MAX 255

static unsigned u16_at(struct slice s, size_t at)
{
	return (unsigned)((unsigned char)s.p[at] << 8 | (unsigned char)s.p[at + 1]);
}

static bool label_is_text(struct slice label)
{
	for (size_t i = 0; i < label.n; i++)
		if (!ascii_isprint(label.p[i]) || label.p[i] == ' ' || label.p[i] == '.' ||
		    label.p[i] == '\\')
			return false;
	return true;
}

bool rdata_name(struct slice *rest, struct arena *arena, struct slice *name)
{
	char *text = arena_alloc(arena, NAME_WIRE_MAX + 1);
	size_t n = 0;

	while (rest->n > 0) {
		size_t length = (unsigned char)rest->p[0];
		struct slice label = slice_sub(*rest, 1, 1 + length);

		if (length > LABEL_MAX || label.n != length || n + length + 1 > NAME_WIRE_MAX ||
		    !label_is_text(label))
			return false;
		*rest = slice_from(*rest, 1 + length);
		if (length == 0) {
			*name = slice(text, n);
			return true;
		}
		if (n > 0)
			text[n++] = '.';
		memcpy(text + n, label.p, length);
		n += length;
	}
	return false;
}

/* strings_of - a TXT record's strings, joined as RFC 7208 3.3 and others do. */
static bool strings_of(struct slice rdata, struct arena *arena, struct slice *out)
{
	char *text = arena_alloc(arena, rdata.n + 1);
	size_t n = 0;

	while (rdata.n > 0) {
		size_t length = (unsigned char)rdata.p[0];

		if (length > rdata.n - 1)
			return false;
		memcpy(text + n, rdata.p + 1, length);
		n += length;
		rdata = slice_from(rdata, 1 + length);
	}
	*out = slice(text, n);
	return true;
}

static bool convert_mx(struct slice rdata, struct arena *arena, struct resolver_answer_record *out)
{
	if (rdata.n < 3)
		return false;
	out->preference = (uint16_t)u16_at(rdata, 0);
	rdata = slice_from(rdata, 2);
	return rdata_name(&rdata, arena, &out->data) && rdata.n == 0;
}

static bool convert_srv(struct slice rdata, struct arena *arena, struct resolver_answer_record *out)
{
	if (rdata.n < 7)
		return false;
	out->preference = (uint16_t)u16_at(rdata, 0);
	out->weight = (uint16_t)u16_at(rdata, 2);
	out->port = (uint16_t)u16_at(rdata, 4);
	rdata = slice_from(rdata, 6);
	return rdata_name(&rdata, arena, &out->data) && rdata.n == 0;
}

bool rdata_convert(uint16_t type, struct slice rdata, struct arena *arena,
		   struct resolver_answer_record *out)
{
	*out = (struct resolver_answer_record){0};
	switch (type) {
	case DNS_TYPE_MX:
		return convert_mx(rdata, arena, out);
	case DNS_TYPE_SRV:
		return convert_srv(rdata, arena, out);
	case DNS_TYPE_NS:
	case DNS_TYPE_CNAME:
	case DNS_TYPE_PTR:
		return rdata_name(&rdata, arena, &out->data) && rdata.n == 0;
	case DNS_TYPE_TXT:
		return strings_of(rdata, arena, &out->data) && out->data.n <= 8192;
	default:
		out->data = rdata;
		if ((type == DNS_TYPE_A && rdata.n != 4) || (type == DNS_TYPE_AAAA && rdata.n != 16))
			return false;
		return rdata.n <= 8192;
	}
}

bool query_name_valid(struct slice name)
{
	size_t label = 0;

	if (name.n == 0 || name.n > 253)
		return false;
	for (size_t i = 0; i < name.n; i++) {
		if (name.p[i] != '.') {
			if (!label_is_text(slice(name.p + i, 1)) || ++label > LABEL_MAX)
				return false;
			continue;
		}
		if (label == 0)
			return false;
		label = 0;
	}
	return label > 0;
}
