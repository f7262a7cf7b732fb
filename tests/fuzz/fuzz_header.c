/* SPDX-License-Identifier: ISC */
/* Fields tile the head; a field that is written again is one field, whatever was in it. */
#include "base/check.h"
#include "message/content.h"
#include "message/date.h"
#include "message/dsn.h"
#include "message/generated.h"
#include "message/header.h"
#include "message/header_name.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check_one_field(struct slice made, struct slice name)
{
	struct header_field field;
	struct slice rest = made;

	CHECK(header_next(&rest, true, &field) == HEADER_FIELD);
	CHECK(rest.n == 0 && slice_eq(field.name, name));
}

static void check_lines(struct slice made)
{
	struct content_scan scan;

	content_scan_init(&scan);
	content_scan_feed(&scan, made);
	content_scan_end(&scan);
	CHECK(!scan.bare_cr && !scan.bare_lf && scan.ends_crlf);
}

static void check_field(struct arena *arena, const struct header_field *field)
{
	struct slice body = header_unfold(arena, field->body), words;
	struct buffer out;
	int64_t seconds;

	CHECK(header_valid_name(field->name));
	CHECK(slice_find(body, '\n') < 0);
	buffer_init(&out, 1 << 20);
	CHECK(header_append(&out, field->name, field->body));
	check_one_field(buffer_slice(&out), field->name);
	check_lines(buffer_slice(&out));
	buffer_reset(&out);
	CHECK(header_append_raw(&out, field->raw));
	check_lines(buffer_slice(&out));
	buffer_reset(&out);
	words = full_name_encode(arena, body, SL_NULL);
	CHECK(header_append(&out, SL("From"), words));
	check_one_field(buffer_slice(&out), SL("From"));
	buffer_free(&out);
	header_lookup(field->name);
	if (date_parse(body, &seconds))
		date_format(arena, seconds, 0, SL_NULL);
}

static void check_dsn(struct arena *arena, struct slice text)
{
	struct slice back;
	struct orcpt o, again;
	unsigned mask;

	CHECK(xtext_decode(arena, xtext_encode(arena, text), &back) && slice_eq(back, text));
	dsn_notify_parse(text, &mask);
	if (!orcpt_parse(arena, text, true, &o))
		return;
	CHECK(orcpt_parse(arena, orcpt_format(arena, &o, true), true, &again));
	CHECK(slice_eq(o.type, again.type) && slice_eq(o.address, again.address));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct arena *arena = arena_create();
	struct slice rest = slice(data, n);
	struct header_field field;

	check_dsn(arena, rest);
	for (;;) {
		const char *at = rest.p;

		if (header_next(&rest, true, &field) != HEADER_FIELD)
			break;
		CHECK(field.raw.p == at && field.raw.n > 0 && rest.p == at + field.raw.n);
		check_field(arena, &field);
	}
	arena_destroy(&arena);
	return 0;
}
