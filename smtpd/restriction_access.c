/* SPDX-License-Identifier: ISC */
/* restriction_access - access(5): what is looked up, in which order, and what a result means. */
#include "address/address.h"
#include "smtp/status.h"
#include "smtpd/smtpd.h"

/* ---- results */

/* has_verb - the first word of `value`, any case; *text is what follows it. */
static bool has_verb(struct slice value, struct slice verb, struct slice *text)
{
	struct slice rest = value, word;

	if (!slice_next(&rest, " \t", &word) || !slice_caseeq(word, verb))
		return false;
	*text = slice_trim(rest);
	return true;
}

/*
 * fitting - RFC 3463 tells address statuses of senders and recipients apart, and one table may
 * serve for either, or for names: "ENHANCED STATUS CODES" in access(5).
 */
static const char *fitting(struct check *c, struct enhanced_status own)
{
	static const uint16_t of_sender[] = {0, 0, 8, 7, 0, 0, 0, 7, 8};
	static const uint16_t of_recipient[] = {0, 1, 2, 3, 4, 5, 6, 3, 2};

	if (own.subject == 1 && own.detail <= 8) {
		if (strcmp(c->what, "Sender address") == 0)
			own.detail = of_sender[own.detail];
		else if (strcmp(c->what, "Recipient address") == 0)
			own.detail = of_recipient[own.detail];
		else
			own.subject = own.detail = 0;
	}
	return arena_printf(c->arena, "%u.%u.%u", own.class, own.subject, own.detail).p;
}

/* refuse - code from a parameter or the table, status and text from the table if it has them. */
static enum verdict refuse(struct check *c, unsigned code, struct slice text, const char *otherwise)
{
	struct enhanced_status own;
	const char *status = "5.7.1";
	struct slice rest;

	if (enhanced_parse(text, &own, &rest)) {
		status = fitting(c, own);
		text = slice_trim(rest);
		/* REJECT 4.x.x means a 4xx reply, and DEFER 5.x.x a 5xx one */
		if (own.class >= 4)
			code = code % 100 + own.class * 100u;
	}
	if (text.n == 0)
		text = slice_str(otherwise);
	return check_rejected(c, code, status, text);
}

static enum verdict defer_if(struct check *c, struct slice text, bool permit)
{
	struct enhanced_status own;
	const char *status = "4.7.1";
	struct slice rest;

	if (enhanced_parse(text, &own, &rest)) {
		status = fitting(c, own);
		text = slice_trim(rest);
	}
	text = arena_printf(c->arena, "<%.*s>: %s rejected: %.*s", SL_ARG(c->subject), c->what,
			    SL_ARG(text.n > 0 ? text : SL("Service unavailable")));
	if (permit)
		check_defer_if_permit(c, (unsigned)c->s->p->settings->access_map_defer_code, status,
				      text);
	else
		check_defer_if_reject(c, (unsigned)c->s->p->settings->access_map_defer_code, status,
				      text);
	return VERDICT_DUNNO;
}

/* noted - an action that leaves a trace in the log: "<subject>: Recipient address triggers HOLD
 * action". */
static void noted(struct check *c, const char *action, const char *default_text, struct slice text)
{
	if (text.n == 0)
		text = slice_str(default_text);
	check_log(
	    c, action,
	    arena_printf(c->arena, "<%.*s>: %s %.*s", SL_ARG(c->subject), c->what, SL_ARG(text)));
}

static enum verdict numeric(struct check *c, struct slice value)
{
	struct slice rest = value, word;
	uint64_t code;

	slice_next(&rest, " \t", &word);
	rest = slice_trim(rest);
	/* digits alone permit: pop-before-smtp tables hold such */
	if (rest.n == 0 || !slice_u64(word, &code))
		return VERDICT_OK;
	if (word.n != 3 || (word.p[0] != '4' && word.p[0] != '5'))
		return check_misconfigured(
		    c, arena_printf(c->arena, "access table value \"%.*s\" is no 4xx or 5xx reply",
				    SL_ARG(value)));
	return refuse(c, (unsigned)code, rest, "Access denied");
}

static bool is_numeric(struct slice value)
{
	struct slice rest = value, word;
	uint64_t code;

	return slice_next(&rest, " \t", &word) && slice_u64(word, &code);
}

/* marks - actions that mark the message and let the evaluation go on. True: it was one. */
static bool marks(struct check *c, struct slice value)
{
	struct transaction *t = &c->s->txn;
	struct slice text;

	if (has_verb(value, SL("HOLD"), &text)) {
		noted(c, "hold", "triggers HOLD action", text);
		if (!c->warn)
			t->hold = true;
	} else if (has_verb(value, SL("DISCARD"), &text)) {
		noted(c, "discard", "triggers DISCARD action", text);
		if (!c->warn)
			t->discard = true;
	} else if (has_verb(value, SL("FILTER"), &text) && text.n > 0) {
		noted(c, "filter", "triggers FILTER", text);
		if (!c->warn && t->arena != NULL)
			t->filter = arena_dup(t->arena, text);
	} else if (has_verb(value, SL("REDIRECT"), &text) && slice_find(text, '@') > 0) {
		noted(c, "redirect", "triggers REDIRECT", text);
		if (!c->warn && t->arena != NULL)
			t->redirect = address_unquote(t->arena, text);
	} else if (has_verb(value, SL("WARN"), &text)) {
		noted(c, "warn", "", text);
	} else if (has_verb(value, SL("INFO"), &text)) {
		noted(c, "info", "", text);
	} else {
		return false;
	}
	return true;
}

/* not_built - actions of access(5) that would be lost in silence. */
static bool not_built(struct slice value)
{
	struct slice text;

	return has_verb(value, SL("PREPEND"), &text) || has_verb(value, SL("HOLD"), &text) ||
	       has_verb(value, SL("BCC"), &text) || has_verb(value, SL("FILTER"), &text) ||
	       has_verb(value, SL("REDIRECT"), &text);
}

/* comes_too_late - cleanup has the envelope already, and it said where the message goes. */
static bool comes_too_late(const struct check *c, struct slice value)
{
	struct slice text;

	return c->stage == STAGE_END_OF_DATA &&
	       (has_verb(value, SL("HOLD"), &text) || has_verb(value, SL("FILTER"), &text) ||
		has_verb(value, SL("REDIRECT"), &text));
}

static enum verdict act(struct check *c, const struct restriction *r, struct slice value)
{
	const struct settings *settings = c->s->p->settings;
	struct restriction_list list;
	struct slice text;

	if (has_verb(value, SL("DUNNO"), &text))
		return VERDICT_DUNNO;
	if (has_verb(value, SL("OK"), &text) || has_verb(value, SL("RELAY"), &text))
		return VERDICT_OK;
	if (has_verb(value, SL("REJECT"), &text))
		return refuse(c, (unsigned)settings->access_map_reject_code, text, "Access denied");
	if (has_verb(value, SL("DEFER"), &text))
		return refuse(c, (unsigned)settings->access_map_defer_code, text, "Access denied");
	if (has_verb(value, SL("DEFER_IF_PERMIT"), &text))
		return defer_if(c, text, true);
	if (has_verb(value, SL("DEFER_IF_REJECT"), &text))
		return defer_if(c, text, false);
	if (is_numeric(value))
		return numeric(c, value);
	if (!comes_too_late(c, value) && marks(c, value))
		return VERDICT_DUNNO;
	if (not_built(value))
		return check_misconfigured(
		    c, arena_printf(c->arena, "access table %.*s: action is not supported: %.*s",
				    SL_ARG(r->table_name), SL_ARG(value)));
	/* anything else is a list of restrictions */
	policy_parse_value(c->s->p, c->s->p->policy, value, c->arena, &list);
	return restriction_evaluate(c, &list);
}

/* ---- lookups */

static enum verdict concluded(struct check *c, const struct restriction *r,
			      enum table_result result, struct slice value)
{
	switch (result) {
	case TABLE_FOUND:
		return act(c, r, value);
	case TABLE_TEMP:
		return check_table_problem(c, value);
	case TABLE_MISSING:
		break;
	}
	return VERDICT_DUNNO;
}

/* look_up_name - a host or domain, then what lies above it. */
static enum table_result look_up_name(struct check *c, const struct restriction *r,
				      struct slice name, struct slice *value)
{
	bool dot = c->s->p->policy->access_parents == FIND_DOT_PARENTS;
	enum table_result result = table_list_lookup(r->table, name, false, c->arena, value);

	while (result == TABLE_MISSING) {
		ssize_t at = slice_find(slice_from(name, 1), '.');

		if (name.n == 0 || at < 0)
			break;
		/* ".b.c" for a.b.c, or "b.c" */
		name = slice_from(name, (size_t)at + (dot ? 1 : 2));
		if (name.n <= (dot ? 1u : 0u))
			break;
		result = table_list_lookup(r->table, name, true, c->arena, value);
	}
	return result;
}

/* look_up_address - 192.0.2.1, then 192.0.2, 192.0, 192; the same at the colons of IPv6. */
static enum table_result look_up_address(struct check *c, const struct restriction *r,
					 struct slice addr, struct slice *value)
{
	char separator = slice_find(addr, ':') >= 0 ? ':' : '.';
	enum table_result result = table_list_lookup(r->table, addr, false, c->arena, value);

	while (result == TABLE_MISSING) {
		ssize_t at = slice_rfind(addr, separator);

		if (at <= 0)
			break;
		addr = slice_sub(addr, 0, (size_t)at);
		/* "2001:db8:" is no network of anybody's table */
		if (addr.p[addr.n - 1] == separator)
			continue;
		result = table_list_lookup(r->table, addr, true, c->arena, value);
	}
	return result;
}

static enum verdict client_access(struct check *c, const struct restriction *r, struct slice name)
{
	struct slice value;
	enum table_result result = look_up_name(c, r, arena_lower(c->arena, name), &value);

	if (result == TABLE_MISSING)
		result = look_up_address(c, r, c->s->client.addr, &value);
	return concluded(c, r, result, value);
}

/* check_address_map - is the address in the table? What stands there does not matter. */
enum verdict restrict_address_map(struct check *c, const struct restriction *r)
{
	struct slice value;

	switch (table_list_lookup(r->table, c->s->client.addr, false, c->arena, &value)) {
	case TABLE_FOUND:
		return VERDICT_OK;
	case TABLE_MISSING:
		return VERDICT_DUNNO;
	case TABLE_TEMP:
		break;
	}
	return check_table_problem(c, value);
}

enum verdict restrict_client_access(struct check *c, const struct restriction *r)
{
	struct check own = *c;
	enum verdict verdict;

	/* what is said about it is said about the client, in whatever list it stands */
	own.subject = c->s->client.full;
	own.what = "Client host";
	verdict = client_access(&own, r, c->s->client.name);
	c->defer_if_permit = own.defer_if_permit;
	c->defer_if_reject = own.defer_if_reject;
	return verdict;
}

enum verdict restrict_reverse_client_access(struct check *c, const struct restriction *r)
{
	struct slice value;
	struct check own = *c;
	enum verdict verdict;

	own.subject = c->s->client.reverse;
	own.what = "Unverified Client host";
	verdict = concluded(
	    &own, r, look_up_name(&own, r, arena_lower(c->arena, own.subject), &value), value);
	c->defer_if_permit = own.defer_if_permit;
	c->defer_if_reject = own.defer_if_reject;
	return verdict;
}

enum verdict restrict_helo_access(struct check *c, const struct restriction *r)
{
	struct slice value;
	struct check own = *c;
	enum verdict verdict;

	if (c->s->helo.len == 0)
		return VERDICT_DUNNO;
	own.subject = buffer_slice(&c->s->helo);
	own.what = "Helo command";
	verdict = concluded(&own, r, look_up_name(&own, r, own.subject, &value), value);
	c->defer_if_permit = own.defer_if_permit;
	c->defer_if_reject = own.defer_if_reject;
	return verdict;
}

/* look_up_mail - user+ext@domain, user@domain, domain and above, user+ext@, user@. */
static enum table_result look_up_mail(struct check *c, const struct restriction *r,
				      struct slice address, struct slice *value)
{
	const unsigned steps[] = {FIND_FULL | FIND_NO_EXTENSION,
				  FIND_DOMAIN | c->s->p->policy->access_parents, FIND_LOCALPART_AT};
	const struct address_find *how = route_address_find(c->s->p->route);
	enum table_result result = TABLE_MISSING;

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]) && result == TABLE_MISSING; i++)
		result = address_find(r->table, address, steps[i], how, c->arena, value, NULL);
	return result;
}

static enum verdict mail_access(struct check *c, const struct restriction *r, struct slice address,
				const char *what)
{
	struct slice value, full;
	struct check own = *c;
	enum table_result result;
	enum verdict verdict;

	own.subject = address;
	own.what = what;
	if (address.n == 0) {
		result =
		    table_list_lookup(r->table, c->s->p->settings->smtpd_null_access_lookup_key,
				      false, c->arena, &value);
	} else {
		route_rewrite(c->s->p->route, address, ROUTE_CONTEXT_LOCAL, c->arena, &full);
		result = look_up_mail(&own, r, full, &value);
	}
	verdict = concluded(&own, r, result, value);
	c->defer_if_permit = own.defer_if_permit;
	c->defer_if_reject = own.defer_if_reject;
	return verdict;
}

enum verdict restrict_sender_access(struct check *c, const struct restriction *r)
{
	if (!c->s->txn.open)
		return VERDICT_DUNNO;
	return mail_access(c, r, c->s->txn.sender, "Sender address");
}

enum verdict restrict_recipient_access(struct check *c, const struct restriction *r)
{
	if (slice_is_null(c->s->recipient))
		return VERDICT_DUNNO;
	return mail_access(c, r, c->s->recipient, "Recipient address");
}
