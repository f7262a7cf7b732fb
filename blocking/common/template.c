/* SPDX-License-Identifier: ISC */
#include "blocking/common/template.h"

#include "address/utf8.h"
#include "base/check.h"

void lookup_text_split(struct slice text, struct lookup_text *out)
{
	ssize_t at = slice_rfind(text, '@');

	*out = (struct lookup_text){.all = text, .local = text, .domain = SL("")};
	if (at < 0)
		return;
	out->qualified = true;
	out->local = slice_sub(text, 0, (size_t)at);
	out->domain = slice_from(text, (size_t)at + 1);
}

bool lookup_text_is_utf8(const struct lookup_text *text)
{
	return utf8_valid(text->all) && slice_find(text->all, '\0') < 0;
}

/* next_piece - cut plain text and the letter behind its % off the front; '\0': no % was left. */
static char next_piece(struct slice *rest, struct slice *plain)
{
	ssize_t at = slice_find(*rest, '%');
	char letter;

	if (at < 0) {
		*plain = *rest;
		*rest = SL_NULL;
		return '\0';
	}
	*plain = slice_sub(*rest, 0, (size_t)at);
	CHECK((size_t)at + 1 < rest->n);
	letter = rest->p[at + 1];
	*rest = slice_from(*rest, (size_t)at + 2);
	return letter;
}

bool template_check(struct slice template, struct slice *bad)
{
	for (size_t i = 0; i < template.n; i++) {
		if (template.p[i] != '%')
			continue;
		i++;
		if (i == template.n || template.p[i] == '\0' ||
		    strchr("%sudSUD123456789", template.p[i]) == NULL) {
			*bad = slice_sub(template, i - 1, i + 1);
			return false;
		}
	}
	return true;
}

/* label - the n-th from the right that is not empty; the empty slice when there are not so many. */
static struct slice label(struct slice domain, unsigned n)
{
	while (domain.n > 0) {
		ssize_t dot = slice_rfind(domain, '.');
		struct slice last = slice_from(domain, (size_t)(dot + 1));

		if (last.n > 0 && --n == 0)
			return last;
		domain = dot < 0 ? SL("") : slice_sub(domain, 0, (size_t)dot);
	}
	return SL("");
}

/* part - what a letter means for a text; the empty slice: it is not there. */
static struct slice part(const struct lookup_text *text, char letter)
{
	switch (letter) {
	case 's':
	case 'S':
		return text->all;
	case 'u':
	case 'U':
		return text->local;
	case 'd':
	case 'D':
		return text->domain;
	default:
		return text->qualified ? label(text->domain, (unsigned)(letter - '0')) : SL("");
	}
}

/* of_value - in a result format these mean the value, all others the key. */
static bool of_value(char letter)
{
	return letter == 's' || letter == 'u' || letter == 'd';
}

bool template_fits_query(struct slice template, const struct lookup_text *key)
{
	struct slice plain;
	char letter;

	while ((letter = next_piece(&template, &plain)) != '\0')
		if (letter != '%' && part(key, letter).n == 0)
			return false;
	return true;
}

bool template_fits_result(struct slice template, const struct lookup_text *key)
{
	struct slice plain;
	char letter;

	while ((letter = next_piece(&template, &plain)) != '\0')
		if (letter != '%' && !of_value(letter) && part(key, letter).n == 0)
			return false;
	return true;
}

enum result template_query(struct slice template, const struct lookup_text *key,
			   template_quote *quote, void *context, struct buffer *out)
{
	struct slice plain, text;
	char letter;

	do {
		letter = next_piece(&template, &plain);
		buffer_append(out, plain);
		if (letter == '\0')
			break;
		if (letter == '%') {
			buffer_append_byte(out, '%');
			continue;
		}
		text = part(key, letter);
		if (text.n == 0)
			return RES_PERM;
		if (!quote(context, text, out) && !buffer_overflowed(out))
			return RES_PERM;
	} while (!buffer_overflowed(out));
	return buffer_overflowed(out) ? RES_TEMP : RES_OK;
}

/* append_result - false: a part is missing. */
static bool append_result(struct slice template, const struct lookup_text *key,
			  const struct lookup_text *value, struct buffer *out)
{
	struct slice plain, text;
	char letter;

	while ((letter = next_piece(&template, &plain)) != '\0') {
		text = letter == '%' ? SL("%") : part(of_value(letter) ? value : key, letter);
		if (text.n == 0)
			return false;
		buffer_append(out, plain);
		buffer_append(out, text);
	}
	buffer_append(out, plain);
	return !buffer_overflowed(out);
}

bool template_result(struct slice template, const struct lookup_text *key, struct slice value,
		     struct buffer *out)
{
	size_t before = out->len;
	struct lookup_text text;

	lookup_text_split(value, &text);
	if (value.n > 0 && append_result(template, key, &text, out))
		return true;
	buffer_truncate(out, before);
	return false;
}
