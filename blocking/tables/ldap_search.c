/* SPDX-License-Identifier: ISC */
/*
 * Looking a key up in a directory: one search, and those that the entries it finds lead to.
 *
 * What is still to do is a list: values that are results, and searches. A search that comes to the
 * front gives its place to what it found, so that results come in the order of the directory,
 * however deep they lie, and no stack grows.
 */
#include "blocking/tables/ldap.h"

#include "blocking/common/ldap_quote.h"
#include "blocking/common/wait.h"

#include "os/clock.h"

/* Filters and names are not longer, the key in them escaped. */
#define TEXT_LIMIT ((size_t)64 << 10)
/* One lookup never leads to more searches, and finds no more values. */
#define SEARCHES_MAX 10000
#define VALUES_MAX 200000

struct item {
	struct item *next;
	bool search;
	struct slice value; /* a result, when it is no search */
	const char *base, *filter;
	int scope;
	char **names;
	int depth; /* of a search: 0 for the first */
};

/* One lookup. */
struct find {
	const struct ldap_table *ldap;
	struct ldap_connection *made;
	struct arena *arena;
	struct item *items;
	int64_t deadline;
	unsigned searches, values;
	struct slice why;
};

/* ---- attributes */

static struct slice without_options(struct slice name)
{
	ssize_t at = slice_find(name, ';');

	return at < 0 ? name : slice_sub(name, 0, (size_t)at);
}

/* same_attribute - equal; or one of them says options (";lang-de"), and the other none. */
static bool same_attribute(struct slice a, struct slice b)
{
	struct slice short_a = without_options(a), short_b = without_options(b);

	return slice_caseeq(a, b) ||
	       (slice_caseeq(short_a, short_b) && (short_a.n == a.n || short_b.n == b.n));
}

/* kind_of - false: not an attribute of the table. */
static bool kind_of(const struct ldap_table *ldap, const char *name, enum ldap_kind *kind)
{
	const struct ldap_attribute *found = NULL;

	for (size_t i = 0; i < ldap->attribute_count; i++) {
		const struct ldap_attribute *one = &ldap->attributes[i];

		if (slice_caseeq(slice_str(one->name), slice_str(name))) {
			found = one;
			break;
		}
		if (found == NULL && same_attribute(slice_str(one->name), slice_str(name)))
			found = one;
	}
	if (found != NULL)
		*kind = found->kind;
	return found != NULL;
}

/* chosen - those of a URL's attributes that are the table's as well; NULL: there are none. */
static char **chosen(const struct find *find, char **wanted)
{
	const struct ldap_table *ldap = find->ldap;
	size_t count = 0, n = 0;
	char **names;

	while (wanted != NULL && wanted[count] != NULL && strcmp(wanted[count], "*") != 0)
		count++;
	if (wanted == NULL || wanted[0] == NULL || wanted[count] != NULL)
		return ldap->names;
	names = ARENA_ARRAY(find->arena, count * ldap->attribute_count + 1, char *);
	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < ldap->attribute_count; k++) {
			struct slice theirs = slice_str(wanted[i]),
				     ours = slice_str(ldap->attributes[k].name);

			if (same_attribute(theirs, ours))
				names[n++] =
				    arena_str(find->arena, theirs.n > ours.n ? theirs : ours);
		}
	return n > 0 ? names : NULL;
}

/* ---- the list of what is to do */

static struct item *new_item(struct find *find, struct item ***tail)
{
	struct item *item = ARENA_NEW(find->arena, struct item);

	**tail = item;
	*tail = &item->next;
	return item;
}

/* follow_url - the search that an LDAP URL describes; on this server, whatever host it names. */
static void follow_url(struct find *find, const char *text, int depth, struct item ***tail)
{
	LDAPURLDesc *url = NULL;
	char **names;
	struct item *item;

	if (ldap_url_parse(text, &url) != LDAP_URL_SUCCESS)
		return;
	names = chosen(find, url->lud_attrs);
	if (names != NULL) {
		item = new_item(find, tail);
		*item = (struct item){
		    .search = true,
		    .base =
			url->lud_dn != NULL ? arena_str(find->arena, slice_str(url->lud_dn)) : "",
		    .filter = url->lud_filter != NULL
				  ? arena_str(find->arena, slice_str(url->lud_filter))
				  : "(objectClass=*)",
		    .scope = url->lud_scope < 0 ? LDAP_SCOPE_BASE : url->lud_scope,
		    .names = names,
		    .depth = depth,
		};
	}
	ldap_free_urldesc(url);
}

/* add_value - a result, or where to look next. Empty values, and those with a NUL, are none. */
static void add_value(struct find *find, const struct berval *value, bool special, int depth,
		      struct item ***tail)
{
	struct slice text = slice(value->bv_val, value->bv_len);
	struct item *item;

	if (text.n == 0 || slice_find(text, '\0') >= 0 || ++find->values > VALUES_MAX)
		return;
	text = arena_dup(find->arena, text);
	if (special && ldap_is_ldap_url(text.p)) {
		follow_url(find, text.p, depth, tail);
		return;
	}
	item = new_item(find, tail);
	*item = special ? (struct item){.search = true,
					.base = text.p,
					.filter = "(objectClass=*)",
					.scope = LDAP_SCOPE_BASE,
					.names = find->ldap->names,
					.depth = depth}
			: (struct item){.value = text};
}

/* ---- entries */

/* survey - what kinds of attributes the entry has. */
static void survey(const struct find *find, LDAPMessage *entry, bool has[LDAP_KIND_SPECIAL + 1])
{
	LDAP *ld = find->made->ld;
	BerElement *place = NULL;
	enum ldap_kind kind;
	char *name;

	memset(has, 0, (LDAP_KIND_SPECIAL + 1) * sizeof(*has));
	for (name = ldap_first_attribute(ld, entry, &place); name != NULL;
	     name = ldap_next_attribute(ld, entry, place)) {
		if (kind_of(find->ldap, name, &kind))
			has[kind] = true;
		ldap_memfree(name);
	}
	ber_free(place, 0);
}

static void add_attribute(struct find *find, LDAPMessage *entry, const char *name, bool special,
			  int depth, struct item ***tail)
{
	struct berval **values = ldap_get_values_len(find->made->ld, entry, name);

	for (size_t i = 0; values != NULL && values[i] != NULL; i++)
		add_value(find, values[i], special, depth, tail);
	ldap_value_free_len(values);
}

static void add_entry(struct find *find, LDAPMessage *entry, int depth, struct item ***tail)
{
	LDAP *ld = find->made->ld;
	bool has[LDAP_KIND_SPECIAL + 1];
	BerElement *place = NULL;
	enum ldap_kind kind;
	char *name;

	survey(find, entry, has);
	for (name = ldap_first_attribute(ld, entry, &place); name != NULL;
	     name = ldap_next_attribute(ld, entry, place)) {
		if (kind_of(find->ldap, name, &kind) &&
		    (has[LDAP_KIND_TERMINAL] ? kind == LDAP_KIND_TERMINAL
					     : kind != LDAP_KIND_LEAF || !has[LDAP_KIND_SPECIAL]))
			add_attribute(find, entry, name, kind == LDAP_KIND_SPECIAL, depth, tail);
		ldap_memfree(name);
	}
	ber_free(place, 0);
}

/* ---- searches */

/* failed - a search that did not end well: is the connection of further use? */
static enum module_result failed(struct find *find, int code, const char *said)
{
	struct slice host = find->made->host;

	if (code == LDAP_SIZELIMIT_EXCEEDED)
		find->why = arena_printf(find->arena,
					 "%.*s: more entries than size_limit, or the "
					 "server, allows",
					 SL_ARG(host));
	else
		find->why =
		    arena_printf(find->arena, "%.*s: search: %.*s", SL_ARG(host),
				 SL_ARG(ldap_reason(find->made->ld, code, said, find->arena)));
	if (code == LDAP_FILTER_ERROR || code == LDAP_PARAM_ERROR)
		return MODULE_TEMP;
	return LDAP_API_ERROR(code) || code == LDAP_UNAVAILABLE ? MODULE_LOST : MODULE_TEMP;
}

/* nothing_there - does the code mean that the name does not exist, and is that no mistake? */
static bool nothing_there(const struct find *find, const struct item *item, int code)
{
	bool made_of_key = slice_find(find->ldap->base, '%') >= 0;

	if (item->depth > 0)
		return code == LDAP_NO_SUCH_OBJECT;
	return made_of_key && (code == LDAP_NO_SUCH_OBJECT || code == LDAP_INVALID_DN_SYNTAX);
}

/* ask - the code of one search, and its answer where there is one. */
static int ask(const struct find *find, const struct item *item, LDAPMessage **answer,
	       const char **said)
{
	LDAP *ld = find->made->ld;
	int64_t soon = os_deadline(find->ldap->timeout),
		deadline = find->deadline < soon ? find->deadline : soon;
	struct timeval left = {wait_budget(deadline, OS_SECOND), 0};
	char *text = NULL;
	int message, parsed, code;

	if (left.tv_sec == 0)
		return LDAP_TIMEOUT;
	find->made->deadline = deadline;
	code = ldap_search_ext(ld, item->base, item->scope, item->filter, item->names, 0, NULL,
			       NULL, &left, find->ldap->size_limit, &message);
	if (code != LDAP_SUCCESS)
		return code;
	*answer = ldap_await(ld, message, deadline, &code);
	if (*answer == NULL)
		return code;
	parsed = ldap_parse_result(ld, *answer, &code, NULL, &text, NULL, NULL, 0);
	if (text != NULL)
		*said = arena_str(find->arena, slice_str(text));
	ldap_memfree(text);
	return parsed == LDAP_SUCCESS ? code : parsed;
}

/* search - put what it finds in front of the list. */
static enum module_result search(struct find *find, const struct item *item)
{
	struct item *found = NULL, **tail = &found;
	LDAPMessage *answer = NULL, *entry;
	LDAP *ld = find->made->ld;
	const char *said = NULL;
	enum module_result outcome = MODULE_FOUND;
	int code;

	if (item->depth >= find->ldap->recursion_limit || ++find->searches > SEARCHES_MAX) {
		find->why =
		    arena_printf(find->arena, "\"%s\" leads too far (recursion_limit)", item->base);
		return MODULE_TEMP;
	}
	code = ask(find, item, &answer, &said);
	if (code == LDAP_SUCCESS) {
		for (entry = ldap_first_entry(ld, answer); entry != NULL;
		     entry = ldap_next_entry(ld, entry))
			add_entry(find, entry, item->depth + 1, &tail);
		*tail = find->items;
		find->items = found;
	} else if (!nothing_there(find, item, code)) {
		outcome = failed(find, code, said);
	}
	ldap_msgfree(answer);
	return outcome;
}

/* walk - until nothing is left to do. MODULE_FOUND, or why it could not go on. */
static enum module_result walk(struct find *find, struct answer *answer)
{
	enum module_result outcome = MODULE_FOUND;

	while (outcome == MODULE_FOUND && find->items != NULL) {
		const struct item *item = find->items;

		find->items = item->next;
		if (item->search)
			outcome = search(find, item);
		else if (!answer_add(answer, item->value))
			break;
		if (find->values > VALUES_MAX) {
			find->why = SL("more values than one lookup may have");
			outcome = MODULE_TEMP;
		}
	}
	return outcome;
}

/* ---- look up */

/* expand - a template with the key in it, in the arena. NULL: no server has it. */
static const char *expand(struct slice template, const struct lookup_text *key,
			  template_quote *quote, struct arena *arena)
{
	const char *text = NULL;
	struct buffer out;

	buffer_init(&out, TEXT_LIMIT);
	if (template_query(template, key, quote, NULL, &out) == RES_OK)
		text = arena_dup(arena, buffer_slice(&out)).p;
	buffer_free(&out);
	return text;
}

enum module_result ldap_find(const struct module_table *table, void *connection, struct slice key,
			     int64_t deadline, struct arena *arena, struct slice *value)
{
	const struct ldap_table *ldap = table->state;
	struct item first = {
	    .search = true, .scope = ldap->scope, .names = ldap->names, .depth = 0};
	struct find find = {.ldap = ldap,
			    .made = connection,
			    .arena = arena,
			    .items = &first,
			    .deadline = deadline};
	struct lookup_text text;
	struct answer answer;
	enum module_result walked, ended,
	    outcome = query_admit(&ldap->query, key, arena, &text, value);

	if (outcome != MODULE_FOUND)
		return outcome;
	if (!lookup_text_is_utf8(&text))
		return MODULE_MISSING;
	first.base = expand(ldap->base, &text, ldap_quote_dn, arena);
	first.filter = expand(ldap->query.template, &text, ldap_quote_filter, arena);
	if (first.base == NULL || first.filter == NULL)
		return MODULE_MISSING;
	answer_begin(&answer, &text, ldap->query.format, ldap->query.limit);
	walked = walk(&find, &answer);
	ended = answer_end(&answer, arena, value);
	if (walked == MODULE_FOUND)
		return ended;
	*value = find.why;
	return walked;
}
