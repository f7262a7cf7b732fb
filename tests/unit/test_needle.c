/* SPDX-License-Identifier: ISC */
/* What the C library and PCRE2 find, no needle may rule out: seeded patterns and keys of few letters. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "unit.h"

#include "table/needle.h"

#include <pcre2.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>

static bool rules_out(const char *pattern, enum needle_syntax syntax, const char *key)
{
	struct needle needle = needle_of(slice_str(pattern), syntax);
	struct needle_key pairs;

	needle_key_read(slice_str(key), &pairs);
	return needle_missing(&needle, &pairs);
}

static unsigned pairs_of(const char *pattern, enum needle_syntax syntax)
{
	return needle_of(slice_str(pattern), syntax).count;
}

static void test_ruled_out(void **state)
{
	(void)state;
	for (unsigned syntax = NEEDLE_POSIX; syntax <= NEEDLE_PERL; syntax++) {
		assert_true(rules_out("^Subject:.*casino", syntax, "Subject: hello"));
		assert_false(rules_out("^Subject:.*casino", syntax, "SUBJECT: CASINO"));
		assert_true(rules_out("x\\.example\\.(com|net)$", syntax, "x-example.com"));
		assert_false(rules_out("x\\.example\\.(com|net)$", syntax, "x.EXAMPLE.net"));
		assert_true(rules_out("colou?r", syntax, "cool"));
		assert_false(rules_out("colou?r", syntax, "color"));
		assert_true(rules_out("ab+c", syntax, "ac"));
		assert_true(rules_out("[[:alpha:]]]foo", syntax, "bar"));
	}
}

/* Where any of it may be absent, or nobody knows, there is no needle. */
static void test_nothing_known(void **state)
{
	static const char *const either[] = {"", "a", "a.b", "abc|d", "(abc)", "a*b?c{0,3}", "[abc]", "ab{2", "(ab", "[ab", "ab)", "*ab"};
	static const char *const perl[] = {"\\Qab\\E", "(?i)ab", "(?x)a b", "(?#()ab", "(*UTF)ab", "ab\\x41", "\\012ab", "ab\\", "a++b*+",
					   "[\\Q]\\E]ab", "ab\\p{L}", "ab\\N{U+41}"};

	(void)state;
	for (size_t i = 0; i < sizeof(either) / sizeof(either[0]); i++) {
		assert_int_equal(pairs_of(either[i], NEEDLE_POSIX), 0);
		assert_int_equal(pairs_of(either[i], NEEDLE_PERL), 0);
	}
	for (size_t i = 0; i < sizeof(perl) / sizeof(perl[0]); i++)
		assert_int_equal(pairs_of(perl[i], NEEDLE_PERL), 0);
	assert_int_equal(pairs_of("ab+?", NEEDLE_POSIX), 0);
	assert_int_equal(pairs_of("b1b1{|c}", NEEDLE_PERL), 0);
}

static uint64_t next_random(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return *seed >> 33;
}

static void make(uint64_t *seed, const char *const *parts, size_t count, unsigned most, char *out)
{
	unsigned n = (unsigned)(next_random(seed) % most);

	out[0] = '\0';
	for (unsigned i = 0; i <= n; i++)
		strcat(out, parts[next_random(seed) % count]);
}

static const char *const letters[] = {"a", "b", "c", "B", "ab", "abc", "\n", "1", ".", "+", "]", "b1"};
static const char *const posix_parts[] = {"a", "b", "c", "ab", "bc", "abc", "b1", "1", ".", "^", "$", "|", "(", ")", "*", "+", "?",
					  "{1,2}", "{0,1}", "{", "}", "[ab]", "[^a]", "[]b]", "[[:alpha:]]", "[a", "\\.", "\\+", "\\b",
					  "\\w", "\\1", "(a)", "(b|c)", "\\]", "\n", "(ab"};
static const char *const perl_parts[] = {"a", "b", "c", "ab", "bc", "abc", "b1", "1", ".", "^", "$", "|", "(", ")", "*", "+", "?", "++",
					 "+?", "*?", "{1,2}", "{0,1}", "{", "}", "{,2}", "[ab]", "[^a]", "[]b]", "[[:alpha:]]", "[a",
					 "[\\]a]", "\\.", "\\+", "\\b", "\\w", "\\1", "\\x61", "\\Qab\\E", "(?:ab)", "(?=a)", "(?!b)",
					 "(?<=a)", "(?i)", "(?x)", "(?#)", "(?<n>a)", "(?>ab)", "(?|a|b)", "(?1)", "(?R)", "\\K", "\\]",
					 "(?P<m>b)", "(?s:a)", "\n", "(*ACCEPT)", "\\d", "\\141", "(ab"};

#define ROUNDS 60000u
#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

static void test_beside_regexec(void **state)
{
	uint64_t seed = 1;
	unsigned matched = 0, spared = 0;
	char pattern[256], key[256];

	(void)state;
	for (unsigned i = 0; i < ROUNDS; i++) {
		regex_t regex;
		bool matches;

		make(&seed, posix_parts, COUNT(posix_parts), 7, pattern);
		make(&seed, letters, COUNT(letters), 9, key);
		if (regcomp(&regex, pattern, REG_EXTENDED | REG_ICASE | REG_NOSUB) != 0)
			continue;
		matches = regexec(&regex, key, 0, NULL, 0) == 0;
		regfree(&regex);
		matched += matches;
		if (!rules_out(pattern, NEEDLE_POSIX, key))
			continue;
		spared++;
		if (matches)
			fail_msg("\"%s\" matches \"%s\"", pattern, key);
	}
	assert_true(matched > 1000 && spared > 1000);
}

static bool perl_matches(const char *pattern, const char *key, bool *compiles)
{
	int error;
	PCRE2_SIZE at;
	pcre2_code *code = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, PCRE2_CASELESS | PCRE2_DOTALL, &error,
					 &at, NULL);
	pcre2_match_data *data;
	int rc;

	*compiles = code != NULL;
	if (code == NULL)
		return false;
	data = pcre2_match_data_create(4, NULL);
	assert_non_null(data);
	rc = pcre2_match(code, (PCRE2_SPTR)key, strlen(key), 0, 0, data, NULL);
	pcre2_match_data_free(data);
	pcre2_code_free(code);
	return rc >= 0;
}

static void test_beside_pcre(void **state)
{
	uint64_t seed = 1;
	unsigned matched = 0, spared = 0;
	char pattern[256], key[256];

	(void)state;
	for (unsigned i = 0; i < ROUNDS; i++) {
		bool compiles, matches;

		make(&seed, perl_parts, COUNT(perl_parts), 7, pattern);
		make(&seed, letters, COUNT(letters), 9, key);
		matches = perl_matches(pattern, key, &compiles);
		matched += matches;
		if (!compiles || !rules_out(pattern, NEEDLE_PERL, key))
			continue;
		spared++;
		if (matches)
			fail_msg("\"%s\" matches \"%s\"", pattern, key);
	}
	assert_true(matched > 1000 && spared > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_ruled_out),
	    cmocka_unit_test(test_nothing_known),
	    cmocka_unit_test(test_beside_regexec),
	    cmocka_unit_test(test_beside_pcre),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
