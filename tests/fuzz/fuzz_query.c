/* SPDX-License-Identifier: ISC */
/*
 * A template, a result format, a key and a value, a line each, of any bytes: what passes the check
 * is expanded within its bounds, and what is suppressed is what the key has no part for.
 */
#include "base/check.h"
#include "blocking/common/answer.h"
#include "blocking/common/ldap_quote.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define QUERY_MAX 4096

static bool plain_quote(void *context, struct slice part, struct buffer *out)
{
	(void)context;
	CHECK(part.n > 0);
	return buffer_append(out, part);
}

static struct slice line(struct slice *rest)
{
	ssize_t end = slice_find(*rest, '\n');
	struct slice text = end < 0 ? *rest : slice_sub(*rest, 0, (size_t)end);

	*rest = end < 0 ? SL("") : slice_from(*rest, (size_t)end + 1);
	return text;
}

static void check_key(struct slice template, const struct lookup_text *key)
{
	struct buffer out;
	enum result rc;

	buffer_init(&out, QUERY_MAX);
	rc = template_query(template, key, plain_quote, NULL, &out);
	CHECK(out.len <= QUERY_MAX);
	CHECK(rc == RES_TEMP || (rc == RES_OK) == template_fits_query(template, key));
	buffer_free(&out);
}

/* check_quotes - nothing that has a meaning is left but the escapes. */
static void check_quotes(struct slice part)
{
	struct buffer out;

	buffer_init(&out, part.n * 3);
	CHECK(ldap_quote_filter(NULL, part, &out));
	for (size_t i = 0; i < out.len; i++)
		CHECK(out.data[i] != '\0' && strchr("*()", out.data[i]) == NULL);
	buffer_reset(&out);
	CHECK(ldap_quote_dn(NULL, part, &out));
	for (size_t i = 0; i < out.len; i++)
		CHECK(out.data[i] != '\0' && strchr("\"+,;<>=#", out.data[i]) == NULL);
	buffer_free(&out);
}

static void check_value(struct slice format, const struct lookup_text *key, struct slice value)
{
	struct arena *arena = arena_create();
	struct answer answer;
	struct slice text;
	bool more;

	answer_begin(&answer, key, format, 2);
	more = answer_add(&answer, value);
	more = more && answer_add(&answer, SL("b@c.d"));
	more = more && answer_add(&answer, value);
	if (answer_end(&answer, arena, &text) == MODULE_FOUND) {
		CHECK(text.n <= ANSWER_LIMIT);
		CHECK(more && template_fits_result(format, key));
	}
	arena_destroy(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct slice rest = slice(data, n), template = line(&rest), format = line(&rest),
		     whole = line(&rest), bad;
	struct lookup_text key;

	lookup_text_split(whole, &key);
	CHECK(key.local.n + key.domain.n + key.qualified == whole.n);
	check_quotes(whole);
	if (template_check(template, &bad))
		check_key(template, &key);
	else
		CHECK(bad.n == 1 || bad.n == 2);
	if (template_check(format, &bad))
		check_value(format, &key, rest);
	return 0;
}
