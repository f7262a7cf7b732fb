/* SPDX-License-Identifier: ISC */
#include "tls/context.h"

#include <stdlib.h>

#define ALL_PROTOCOLS 5

struct protocol {
	struct slice name;
	int version;
	uint64_t off;
};

/* In order of age; SSLv2 is known by name only. */
static const struct protocol protocols[ALL_PROTOCOLS + 1] = {
    {SL("SSLv2"), 0, 0},
    {SL("SSLv3"), SSL3_VERSION, SSL_OP_NO_SSLv3},
    {SL("TLSv1"), TLS1_VERSION, SSL_OP_NO_TLSv1},
    {SL("TLSv1.1"), TLS1_1_VERSION, SSL_OP_NO_TLSv1_1},
    {SL("TLSv1.2"), TLS1_2_VERSION, SSL_OP_NO_TLSv1_2},
    {SL("TLSv1.3"), TLS1_3_VERSION, SSL_OP_NO_TLSv1_3},
};

static const struct protocol *find_protocol(struct slice name)
{
	for (size_t i = 0; i < sizeof(protocols) / sizeof(protocols[0]); i++)
		if (slice_caseeq(protocols[i].name, name))
			return &protocols[i];
	return NULL;
}

/* bound - the version after >= or <=: a name, or hexadecimal as 0304; 0 when it is neither. */
static int bound(struct slice word)
{
	const struct protocol *p = find_protocol(word);
	char text[16];
	char *end;
	long n;

	if (p != NULL)
		return p->version;
	if (word.n == 0 || word.n >= sizeof(text))
		return -1;
	memcpy(text, word.p, word.n);
	text[word.n] = '\0';
	n = strtol(text, &end, 16);
	return *end == '\0' && n >= SSL3_VERSION && n <= 0xffff ? (int)n : -1;
}

/* one_word - ">=V", "<=V", "!V", "V" (which excludes those not named); false when it is none. */
static bool one_word(struct slice word, struct tls_limits *limits, uint64_t *named)
{
	const struct protocol *p;
	bool negated;

	if (slice_starts(word, SL(">="))) {
		limits->min_version = bound(slice_from(word, 2));
		return limits->min_version >= 0;
	}
	if (slice_starts(word, SL("<="))) {
		limits->max_version = bound(slice_from(word, 2));
		return limits->max_version >= 0;
	}
	negated = slice_starts(word, SL("!"));
	p = find_protocol(negated ? slice_from(word, 1) : word);
	if (p == NULL)
		return false;
	if (negated)
		limits->off |= p->off;
	else
		*named |= p->off;
	return true;
}

struct slice protocols_parse(struct slice text, struct tls_limits *limits)
{
	struct slice word;
	uint64_t named = 0, all = 0;

	while (slice_next(&text, ", \t\r\n:", &word))
		if (!one_word(word, limits, &named))
			return word;
	for (int i = 1; i <= ALL_PROTOCOLS; i++)
		all |= protocols[i].off;
	if (named != 0)
		limits->off |= all & ~named;
	return SL_NULL;
}

bool tls_level_parse(struct slice word, enum tls_level *level)
{
	static const struct {
		struct slice name;
		enum tls_level level;
	} levels[] = {
	    {SL("none"), TLS_LEVEL_NONE},
	    {SL("may"), TLS_LEVEL_MAY},
	    {SL("encrypt"), TLS_LEVEL_ENCRYPT},
	    {SL("fingerprint"), TLS_LEVEL_FINGERPRINT},
	    {SL("dane"), TLS_LEVEL_DANE},
	    {SL("dane-only"), TLS_LEVEL_DANE_ONLY},
	    {SL("verify"), TLS_LEVEL_VERIFY},
	    {SL("secure"), TLS_LEVEL_SECURE},
	};

	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++)
		if (slice_caseeq(levels[i].name, word)) {
			*level = levels[i].level;
			return true;
		}
	return false;
}
