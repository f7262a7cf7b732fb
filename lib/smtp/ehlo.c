/* SPDX-License-Identifier: ISC */
#include "smtp/ehlo.h"

static const struct {
	const char *name;
	unsigned flag;
} keywords[] = {
    /* In the order in which they are offered. */
    {"PIPELINING", EHLO_PIPELINING},
    {"SIZE", EHLO_SIZE},
    {"VRFY", EHLO_VRFY},
    {"ETRN", EHLO_ETRN},
    {"STARTTLS", EHLO_STARTTLS},
    {"AUTH", EHLO_AUTH},
    {"XCLIENT", EHLO_XCLIENT},
    {"XFORWARD", EHLO_XFORWARD},
    {"ENHANCEDSTATUSCODES", EHLO_ENHANCEDSTATUSCODES},
    {"8BITMIME", EHLO_8BITMIME},
    {"DSN", EHLO_DSN},
    {"SMTPUTF8", EHLO_SMTPUTF8},
    {"CHUNKING", EHLO_CHUNKING},
    {"BINARYMIME", EHLO_BINARYMIME},
    {"silent-discard", EHLO_SILENT_DISCARD},
};

#define KEYWORD_COUNT (sizeof(keywords) / sizeof(keywords[0]))

static unsigned keyword_flag(struct slice word)
{
	for (size_t i = 0; i < KEYWORD_COUNT; i++)
		if (slice_caseeq(word, slice_str(keywords[i].name)))
			return keywords[i].flag;
	return 0;
}

bool ehlo_discard_parse(struct slice words, unsigned *mask, struct slice *bad)
{
	struct slice word;
	bool ok = true;

	*mask = 0;
	while (slice_next(&words, ", \t\r\n", &word)) {
		unsigned flag = keyword_flag(word);

		if (flag == 0 && ok) {
			*bad = word;
			ok = false;
		}
		*mask |= flag;
	}
	return ok;
}

/* has_word - is `word` one of the space-separated words of `list`? */
static bool has_word(struct slice list, struct slice word)
{
	struct slice one;

	while (slice_next(&list, " ", &one))
		if (slice_caseeq(one, word))
			return true;
	return false;
}

static bool is_printable(struct slice word)
{
	for (size_t i = 0; i < word.n; i++)
		if (!ascii_isprint(word.p[i]))
			return false;
	return true;
}

/* add_words - printable words that are not in *list yet, joined by single spaces. */
static void add_words(struct arena *arena, struct slice *list, struct slice words)
{
	struct slice word;

	while (slice_next(&words, " \t", &word))
		if (is_printable(word) && !has_word(*list, word))
			*list = arena_printf(arena, "%.*s%s%.*s", SL_ARG(*list),
					     list->n > 0 ? " " : "", SL_ARG(word));
}

static void take_size(struct ehlo *out, struct slice args)
{
	uint64_t limit;

	if (!slice_u64(slice_trim(args), &limit))
		return;
	out->has_size_limit = limit > 0;
	out->size_limit = limit;
}

static void take_line(struct arena *arena, struct slice line, unsigned discard, struct ehlo *out)
{
	struct slice rest = line, word;
	unsigned flag;

	/* "AUTH=PLAIN LOGIN" is what servers said before RFC 2554, and some say still. */
	if (slice_casestarts(line, SL("AUTH="))) {
		word = SL("AUTH");
		rest = slice_from(line, strlen("AUTH="));
	} else if (!slice_next(&rest, " \t", &word)) {
		return;
	}
	flag = keyword_flag(word) & ~discard & ~EHLO_SILENT_DISCARD;
	out->flags |= flag;
	if (flag == EHLO_SIZE)
		take_size(out, rest);
	else if (flag == EHLO_AUTH)
		add_words(arena, &out->mechs, rest);
	else if (flag == EHLO_XFORWARD)
		add_words(arena, &out->xforward, rest);
}

void ehlo_parse(const struct smtp_reply *reply, unsigned discard, struct arena *arena,
		struct ehlo *out)
{
	struct slice rest = reply->text, line;
	bool first = true;

	*out = (struct ehlo){0};
	while (rest.n > 0) {
		ssize_t lf = slice_find(rest, '\n');

		line = lf < 0 ? rest : slice_sub(rest, 0, (size_t)lf);
		rest = lf < 0 ? SL_NULL : slice_from(rest, (size_t)lf + 1);
		if (first && slice_next(&line, " \t", &out->name))
			out->name = arena_dup(arena, out->name);
		else if (!first)
			take_line(arena, line, discard, out);
		first = false;
	}
}

static struct slice offer_line(struct arena *arena, const struct ehlo *offer, size_t keyword,
			       bool broken_auth)
{
	const char *name = keywords[keyword].name;

	switch (keywords[keyword].flag) {
	case EHLO_SIZE:
		if (offer->size_limit == 0)
			break;
		return arena_printf(arena, "\nSIZE %llu", (unsigned long long)offer->size_limit);
	case EHLO_AUTH:
		if (offer->mechs.n == 0)
			return SL("");
		if (broken_auth)
			return arena_printf(arena, "\nAUTH %.*s\nAUTH=%.*s", SL_ARG(offer->mechs),
					    SL_ARG(offer->mechs));
		return arena_printf(arena, "\nAUTH %.*s", SL_ARG(offer->mechs));
	case EHLO_XFORWARD:
		return arena_printf(arena, "\nXFORWARD %.*s", SL_ARG(offer->xforward));
	default:
		break;
	}
	return arena_printf(arena, "\n%s", name);
}

struct smtp_reply ehlo_compose(struct arena *arena, const struct ehlo *offer, unsigned discard,
			       bool broken_auth)
{
	struct slice text = offer->name;

	for (size_t i = 0; i < KEYWORD_COUNT; i++) {
		unsigned flag = keywords[i].flag;
		struct slice line;

		if (flag == EHLO_SILENT_DISCARD || !(offer->flags & ~discard & flag))
			continue;
		line = offer_line(arena, offer, i, broken_auth);
		text = arena_printf(arena, "%.*s%.*s", SL_ARG(text), SL_ARG(line));
	}
	return smtp_reply(250, NULL, text);
}
