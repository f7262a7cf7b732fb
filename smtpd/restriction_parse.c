/* SPDX-License-Identifier: ISC */
/* restriction_parse - lists of restrictions from text, once at start. */
#include "config/parameter.h"
#include "log/events.h"
#include "smtpd/smtpd.h"

static const struct restriction_kind kinds[] = {
    {"permit", ARG_NONE, restrict_permit},
    {"reject", ARG_NONE, restrict_reject},
    {"defer", ARG_NONE, restrict_defer},
    {"defer_if_permit", ARG_NONE, restrict_defer_if_permit},
    {"defer_if_reject", ARG_NONE, restrict_defer_if_reject},
    {"warn_if_reject", ARG_NONE, restrict_nothing}, /* the evaluator knows it */
    {"sleep", ARG_TIME, restrict_sleep},
    {"permit_mynetworks", ARG_NONE, restrict_mynetworks},
    {"permit_inet_interfaces", ARG_NONE, restrict_inet_interfaces},
    {"permit_auth_destination", ARG_NONE, restrict_permit_auth_destination},
    /* nobody can log in here: never true */
    {"permit_sasl_authenticated", ARG_NONE, restrict_nothing},
    {"permit_tls_clientcerts", ARG_NONE, restrict_tls_clientcerts},
    {"permit_tls_all_clientcerts", ARG_NONE, restrict_tls_all_clientcerts},
    {"check_address_map", ARG_TABLE, restrict_address_map},
    {"reject_unauth_destination", ARG_NONE, restrict_unauth_destination},
    {"defer_unauth_destination", ARG_NONE, restrict_defer_unauth_destination},
    {"reject_unlisted_recipient", ARG_NONE, restrict_unlisted_recipient},
    {"check_recipient_maps", ARG_NONE, restrict_unlisted_recipient},
    {"reject_unlisted_sender", ARG_NONE, restrict_unlisted_sender},
    {"reject_unauth_pipelining", ARG_NONE, restrict_pipelining},
    {"reject_plaintext_session", ARG_NONE, restrict_plaintext},
    {"reject_multi_recipient_bounce", ARG_NONE, restrict_multi_recipient_bounce},
    {"reject_invalid_helo_hostname", ARG_NONE, restrict_invalid_helo},
    {"reject_invalid_hostname", ARG_NONE, restrict_invalid_helo},
    {"reject_non_fqdn_helo_hostname", ARG_NONE, restrict_non_fqdn_helo},
    {"reject_non_fqdn_hostname", ARG_NONE, restrict_non_fqdn_helo},
    {"reject_non_fqdn_sender", ARG_NONE, restrict_non_fqdn_sender},
    {"reject_non_fqdn_recipient", ARG_NONE, restrict_non_fqdn_recipient},
    {"reject_unknown_client_hostname", ARG_NONE, restrict_unknown_client},
    {"reject_unknown_client", ARG_NONE, restrict_unknown_client},
    {"reject_unknown_reverse_client_hostname", ARG_NONE, restrict_unknown_reverse_client},
    {"reject_unknown_helo_hostname", ARG_NONE, restrict_unknown_helo},
    {"reject_unknown_hostname", ARG_NONE, restrict_unknown_helo},
    {"reject_unknown_sender_domain", ARG_NONE, restrict_unknown_sender},
    {"reject_unknown_address", ARG_NONE, restrict_unknown_sender},
    {"reject_unknown_recipient_domain", ARG_NONE, restrict_unknown_recipient},
    {"check_client_access", ARG_TABLE, restrict_client_access},
    {"check_reverse_client_hostname_access", ARG_TABLE, restrict_reverse_client_access},
    {"check_helo_access", ARG_TABLE, restrict_helo_access},
    {"check_sender_access", ARG_TABLE, restrict_sender_access},
    {"check_recipient_access", ARG_TABLE, restrict_recipient_access},
    {"check_policy_service", ARG_NOT_BUILT_ONE, NULL},
    {"reject_rbl_client", ARG_NOT_BUILT_ONE, NULL},
    {"reject_rhsbl_client", ARG_NOT_BUILT_ONE, NULL},
    {"reject_rhsbl_reverse_client", ARG_NOT_BUILT_ONE, NULL},
    {"reject_rhsbl_helo", ARG_NOT_BUILT_ONE, NULL},
    {"reject_rhsbl_sender", ARG_NOT_BUILT_ONE, NULL},
    {"reject_rhsbl_recipient", ARG_NOT_BUILT_ONE, NULL},
    {"permit_dnswl_client", ARG_NOT_BUILT_ONE, NULL},
    {"permit_rhswl_client", ARG_NOT_BUILT_ONE, NULL},
    {"reject_unverified_sender", ARG_NOT_BUILT, NULL},
    {"reject_unverified_recipient", ARG_NOT_BUILT, NULL},
};

const struct restriction_kind *restriction_find(struct slice name)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (slice_caseeq(name, slice_str(kinds[i].name)))
			return &kinds[i];
	return NULL;
}

/* table_kind - what a bare type:name means in a list. */
static const struct restriction_kind *table_kind(enum stage stage)
{
	switch (stage) {
	case STAGE_CLIENT:
		return restriction_find(SL("check_client_access"));
	case STAGE_HELO:
		return restriction_find(SL("check_helo_access"));
	case STAGE_SENDER:
		return restriction_find(SL("check_sender_access"));
	case STAGE_RELAY:
	case STAGE_RECIPIENT:
		return restriction_find(SL("check_recipient_access"));
	default:
		return NULL;
	}
}

struct parser {
	struct smtpd *p;
	struct policy *policy;
	struct arena *arena;
	struct slice parameter;
	enum stage stage;
	struct slice rest;
	bool tables_open; /* tables can still be opened */
};

static void complain(struct parser *parser, struct slice name, const char *what)
{
	parser->policy->unusable++;
	LOG(restriction_unusable, .parameter = parser->parameter, .what = slice_str(what),
	    .name = name);
}

static void take_table(struct parser *parser, struct slice spec, struct restriction *r)
{
	r->table_name = arena_dup(parser->arena, spec);
	r->table = table_list_create(parser->p->tables, r->table_name, TABLE_FOLD);
}

/* take_argument - false: there is none, or a wrong one. */
static bool take_argument(struct parser *parser, struct restriction *r)
{
	struct parameter seconds = {.unit = 's', .min = 0, .max = INT64_MAX};
	struct slice word;

	if (r->kind->arg == ARG_NONE || r->kind->arg == ARG_NOT_BUILT)
		return true;
	if (!settings_next_word(&parser->rest, &word))
		return false;
	if (r->kind->arg == ARG_NOT_BUILT_ONE)
		return true;
	if (r->kind->arg == ARG_TIME)
		return parameter_time(&seconds, word, parser->arena, &r->time) == NULL;
	if (slice_find(word, ':') < 0 || !parser->tables_open)
		return false;
	take_table(parser, word, r);
	return true;
}

static bool is_not_built(const struct restriction_kind *kind)
{
	return kind->arg == ARG_NOT_BUILT || kind->arg == ARG_NOT_BUILT_ONE;
}

static bool parse_one(struct parser *parser, struct slice word, struct restriction *r)
{
	r->name = arena_dup(parser->arena, word);
	r->kind = restriction_find(word);
	if (r->kind == NULL && slice_find(word, ':') >= 0 && parser->tables_open)
		r->kind = table_kind(parser->stage);
	if (r->kind != NULL && slice_find(word, ':') >= 0) {
		take_table(parser, word, r);
		return true;
	}
	if (r->kind == NULL) {
		r->list = map_get(parser->policy->classes, word);
		if (r->list == NULL)
			complain(parser, word, "unknown smtpd restriction");
		return true;
	}
	if (is_not_built(r->kind))
		complain(parser, word, "smtpd restriction that is not supported");
	return take_argument(parser, r);
}

static size_t count_words(struct slice value)
{
	struct slice word;
	size_t n = 0;

	while (settings_next_word(&value, &word))
		n++;
	return n;
}

/* parse_words - a word in braces is one restriction with its argument: { check_x_access {
 * inline:... } } */
static void parse_words(struct parser *parser, struct restriction_list *out)
{
	struct slice word;

	while (settings_next_word(&parser->rest, &word)) {
		struct restriction *r = &out->items[out->count++];
		struct slice first = word, outer = parser->rest;
		bool braced = slice_find(word, ' ') >= 0 || slice_find(word, '\t') >= 0;

		*r = (struct restriction){.kind = NULL};
		if (braced) {
			parser->rest = word;
			settings_next_word(&parser->rest, &first);
		}
		if (!parse_one(parser, first, r)) {
			complain(parser, first, "smtpd restriction with a bad or missing argument");
			r->kind = NULL;
		}
		if (braced)
			parser->rest = outer;
	}
}

static void parse_list(struct parser *parser, struct slice value, struct restriction_list *out)
{
	out->parameter = parser->parameter;
	out->items = ARENA_ARRAY(parser->arena, count_words(value) + 1, struct restriction);
	out->count = 0;
	parser->rest = value;
	parse_words(parser, out);
}

void policy_parse_value(struct smtpd *p, struct policy *policy, struct slice value,
			struct arena *arena, struct restriction_list *out)
{
	struct parser parser = {.p = p,
				.policy = policy,
				.arena = arena,
				.parameter = SL("access table"),
				.stage = STAGE_DATA};

	parse_list(&parser, value, out);
}

static void parse_parameter(struct smtpd *p, struct policy *policy, enum stage stage,
			    struct slice parameter, struct slice value,
			    struct restriction_list *out)
{
	struct parser parser = {.p = p,
				.policy = policy,
				.arena = policy->arena,
				.parameter = parameter,
				.stage = stage,
				.tables_open = true};

	parse_list(&parser, value, out);
}

/* parse_classes - first all names, then their lists, which may name each other. */
static void parse_classes(struct smtpd *p, struct policy *policy)
{
	struct slice names = p->settings->smtpd_restriction_classes, name, value;

	while (settings_next_word(&names, &name))
		if (map_get(policy->classes, name) == NULL)
			map_put(policy->classes, name,
				ARENA_NEW(policy->arena, struct restriction_list));
	names = p->settings->smtpd_restriction_classes;
	while (settings_next_word(&names, &name)) {
		struct restriction_list *list = map_get(policy->classes, name);

		if (!settings_get(p->settings, name, policy->arena, &value)) {
			LOG(restriction_unusable, .parameter = SL("smtpd_restriction_classes"),
			    .what = SL("a class without a value of its own"), .name = name);
			value = SL("");
		}
		/* a bare table in a class is meaningless, unless it says which check it is for */
		parse_parameter(p, policy, STAGE_DATA, arena_dup(policy->arena, name), value, list);
	}
}

static bool stops_strangers(const struct restriction_list *list)
{
	static const char *const names[] = {"reject", "defer", "defer_if_permit",
					    "reject_unauth_destination",
					    "defer_unauth_destination"};

	for (size_t i = 0; i < list->count; i++)
		for (size_t j = 0; j < sizeof(names) / sizeof(names[0]); j++)
			if (slice_caseeq(list->items[i].name, slice_str(names[j])) &&
			    (i == 0 ||
			     !slice_caseeq(list->items[i - 1].name, SL("warn_if_reject"))))
				return true;
	return false;
}

static bool refuses_relaying(const struct policy *policy)
{
	if (stops_strangers(&policy->lists[STAGE_RELAY]) ||
	    stops_strangers(&policy->lists[STAGE_RECIPIENT]))
		return true;
	LOG(open_relay, .first = SL("smtpd_relay_restrictions"),
	    .second = SL("smtpd_recipient_restrictions"),
	    .remedies = SL("reject_unauth_destination, defer_unauth_destination, reject, defer, "
			   "defer_if_permit"));
	return false;
}

struct policy *policy_parse(struct smtpd *p, struct arena *arena)
{
	const struct settings *c = p->settings;
	const struct slice names[STAGE_COUNT] = {
	    SL("smtpd_client_restrictions"),	 SL("smtpd_helo_restrictions"),
	    SL("smtpd_sender_restrictions"),	 SL("smtpd_relay_restrictions"),
	    SL("smtpd_recipient_restrictions"),	 SL("smtpd_data_restrictions"),
	    SL("smtpd_end_of_data_restrictions")};
	const struct slice values[STAGE_COUNT] = {
	    c->smtpd_client_restrictions,     c->smtpd_helo_restrictions,
	    c->smtpd_sender_restrictions,     c->smtpd_relay_restrictions,
	    c->smtpd_recipient_restrictions,  c->smtpd_data_restrictions,
	    c->smtpd_end_of_data_restrictions};
	struct policy *policy = ARENA_NEW(arena, struct policy);

	policy->arena = arena;
	policy->classes = map_create();
	policy->access_parents =
	    match_list_parent_flag(c->parent_domain_matches_subdomains, SL("smtpd_access_maps"))
		? FIND_PARENTS
		: FIND_DOT_PARENTS;
	parse_classes(p, policy);
	for (unsigned i = 0; i < STAGE_COUNT; i++)
		parse_parameter(p, policy, (enum stage)i, names[i], values[i], &policy->lists[i]);
	parse_parameter(p, policy, STAGE_CLIENT, SL("local_header_rewrite_clients"),
			c->local_header_rewrite_clients, &policy->local_clients);
	if (refuses_relaying(policy))
		return policy;
	map_destroy(&policy->classes);
	return NULL;
}
