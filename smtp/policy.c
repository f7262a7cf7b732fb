/* SPDX-License-Identifier: ISC */
#include "smtp/policy.h"
#include "log/log.h"

static void set_level(const struct client_conf *conf, enum tls_level level, struct tls_policy *policy)
{
	policy->level = level;
	policy->names = level == TLS_LEVEL_SECURE ? conf->tls_secure_names : conf->tls_verify_names;
	policy->fingerprints = conf->tls_fingerprints;
	policy->servername = conf->tls_servername;
}

static bool take_attribute(struct slice word, struct arena *arena, struct tls_policy *policy,
			   struct slice *why)
{
	ssize_t equals = slice_find(word, '=');
	struct slice name = slice_sub(word, 0, equals < 0 ? word.n : (size_t)equals);
	struct slice value = slice_from(word, name.n + 1);

	*why = arena_printf(arena, "malformed attribute/value pair \"%.*s\"", SL_ARG(word));
	if (equals < 0 || value.n == 0)
		return false;
	if (slice_caseeq(name, SL("match")) && policy->level == TLS_LEVEL_FINGERPRINT) {
		policy->fingerprints = value;
	} else if (slice_caseeq(name, SL("match")) && policy->level >= TLS_LEVEL_VERIFY) {
		policy->names = value;
	} else if (slice_caseeq(name, SL("servername"))) {
		policy->servername = value;
	} else {
		*why = arena_printf(arena, "attribute \"%.*s\" is not supported at this level", SL_ARG(name));
		return false;
	}
	return true;
}

bool policy_parse(const struct client_conf *conf, struct slice value, struct arena *arena,
		  struct tls_policy *policy, struct slice *why)
{
	enum tls_level level;
	struct slice word;

	if (!slice_next(&value, ", \t\r\n", &word)) {
		*why = SL("invalid empty policy");
		return false;
	}
	if (!tls_level_parse(word, &level)) {
		*why = arena_printf(arena, "invalid security level \"%.*s\"", SL_ARG(word));
		return false;
	}
	if (level == TLS_LEVEL_DANE)
		level = TLS_LEVEL_MAY; /* opportunistic: without TLSA records it is no more */
	set_level(conf, level, policy);
	while (slice_next(&value, ", \t\r\n", &word))
		if (!take_attribute(word, arena, policy, why))
			return false;
	return true;
}

/* look_up - the destination, then the domain without port, then its parents. */
static enum table_result look_up(struct table_list *maps, struct slice destination, struct arena *arena,
				 struct slice *value)
{
	struct slice key = arena_lower(arena, destination);
	enum table_result found = table_list_lookup(maps, key, false, arena, value);
	ssize_t at;

	if (found != TABLE_MISSING || key.n == 0 || key.p[0] == '[')
		return found;
	at = slice_find(key, ':');
	if (at >= 0) {
		key = slice_sub(key, 0, (size_t)at);
		found = table_list_lookup(maps, key, false, arena, value);
	}
	for (at = slice_find(key, '.'); found == TABLE_MISSING && at >= 0; at = slice_find(key, '.')) {
		key = slice_from(key, (size_t)at);
		found = table_list_lookup(maps, key, true, arena, value);
		key = slice_from(key, 1);
	}
	return found;
}

enum result policy_find(const struct client_conf *conf, struct table_list *maps, struct slice destination,
			struct arena *arena, struct tls_policy *policy, struct failure *failure)
{
	enum table_result found = TABLE_MISSING;
	struct slice value, why;

	set_level(conf, conf->tls_level, policy);
	if (!table_list_empty(maps))
		found = look_up(maps, destination, arena, &value);
	if (found == TABLE_MISSING)
		return RES_OK;
	if (found == TABLE_FOUND && policy_parse(conf, value, arena, policy, &why))
		return RES_OK;
	log_warning_text("TLS policy of %.*s: %.*s", SL_ARG(destination),
			 SL_ARG(found == TABLE_FOUND ? why : value));
	*failure = failure_make(arena, "4.7.5", "client TLS configuration problem");
	failure->destination = true;
	return RES_TEMP;
}
