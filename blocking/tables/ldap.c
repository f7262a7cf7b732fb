/* SPDX-License-Identifier: ISC */
/* ldap - tables in directories: what their configuration says; ldap_table(5). */
#include "blocking/tables/ldap.h"
#include "blocking/common/server.h"

#include <limits.h>

#define LDAP_STANDARD_PORT 389
#define LDAPS_STANDARD_PORT 636
/* A search may take this long when nothing else is said. */
#define TIMEOUT_SECONDS 10

static const char *text_or_null(struct client_config *config, const char *name)
{
	struct slice text = client_config_text(config, name, "");

	return text.n > 0 ? text.p : NULL;
}

/* choice - one of the words, in either case; its index, or 0 and a problem. */
static int choice(struct client_config *config, const char *name, const char *const *words)
{
	struct slice text = client_config_text(config, name, words[0]);
	int i = 0;

	while (words[i] != NULL && !slice_caseeq(text, slice_str(words[i])))
		i++;
	if (words[i] != NULL)
		return i;
	client_config_reject(config, name, "unknown; the first one that is allowed is \"%s\"",
			     words[0]);
	return 0;
}

/* ---- servers */

/* read_hosts - URLs as they are; names become ldap:// URLs. The order is kept: the first is the
 * best. */
static void read_hosts(struct client_config *config, struct arena *arena,
		       struct module_table *table)
{
	int port = client_config_number(config, "server_port", LDAP_STANDARD_PORT, 1, UINT16_MAX);
	const struct slice *words =
	    client_config_words(config, "server_host", "localhost", &table->host_count);
	struct slice *hosts = ARENA_ARRAY(arena, table->host_count, struct slice);
	struct server server;

	for (size_t i = 0; i < table->host_count; i++) {
		if (slice_search(words[i], SL("://")) > 0) {
			hosts[i] = arena_dup(arena, words[i]);
			if (!ldap_is_ldap_url(hosts[i].p))
				client_config_reject(config, "server_host",
						     "\"%.*s\" is no LDAP URL", SL_ARG(words[i]));
			continue;
		}
		if (!server_parse(words[i], (uint16_t)port, arena, &server) || server.local)
			client_config_reject(config, "server_host",
					     "\"%.*s\": need an LDAP URL or HOST[:PORT]",
					     SL_ARG(words[i]));
		hosts[i] =
		    slice_find(server.name, ':') >= 0
			? arena_printf(arena, "ldap://[%.*s]:%u", SL_ARG(server.name), server.port)
			: arena_printf(arena, "ldap://%.*s:%u", SL_ARG(server.name), server.port);
	}
	table->hosts = hosts;
}

/* url_port - 0: it is no TCP port. */
static uint16_t url_port(const char *url)
{
	LDAPURLDesc *parts = NULL;
	int port = 0;

	if (ldap_url_parse(url, &parts) != LDAP_SUCCESS)
		return 0;
	if (strcmp(parts->lud_scheme, "ldapi") != 0) {
		port = parts->lud_port;
		if (port <= 0 || port > UINT16_MAX)
			port = strcmp(parts->lud_scheme, "ldaps") == 0 ? LDAPS_STANDARD_PORT
								       : LDAP_STANDARD_PORT;
	}
	ldap_free_urldesc(parts);
	return (uint16_t)port;
}

static const uint16_t *table_ports(const struct module_table *table, struct arena *arena)
{
	uint16_t *ports = ARENA_ARRAY(arena, table->host_count + 1, uint16_t);
	size_t n = 0;

	for (size_t i = 0; i < table->host_count; i++) {
		ports[n] = url_port(table->hosts[i].p);
		if (ports[n] != 0)
			n++;
	}
	return ports;
}

static const char *const *table_reads(const struct module_table *table, struct arena *arena)
{
	const struct ldap_table *ldap = table->state;
	const char *const all[] = {ldap->tls_ca_file, ldap->tls_ca_folder, ldap->tls_cert,
				   ldap->tls_key};
	const char **files = ARENA_ARRAY(arena, sizeof(all) / sizeof(all[0]) + 1, const char *);
	size_t n = 0;

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (all[i] != NULL && all[i][0] == '/')
			files[n++] = all[i];
	return files;
}

/* ---- attributes */

/* add_attributes - a name that comes again has the kind that comes last. */
static void add_attributes(struct ldap_table *ldap, struct client_config *config,
			   struct arena *arena, const char *parameter, const char *fallback,
			   enum ldap_kind kind)
{
	size_t count, size = ldap->attribute_count, at;
	const struct slice *words = client_config_words(config, parameter, fallback, &count);
	struct ldap_attribute *all = ARENA_ARRAY(arena, size + count, struct ldap_attribute);

	if (size > 0)
		memcpy(all, ldap->attributes, size * sizeof(*all));
	for (size_t i = 0; i < count; i++) {
		for (at = 0; at < size; at++)
			if (slice_caseeq(slice_str(all[at].name), words[i]))
				break;
		all[at] = (struct ldap_attribute){arena_dup(arena, words[i]).p, kind};
		size += at == size;
	}
	ldap->attributes = all;
	ldap->attribute_count = size;
}

static void read_attributes(struct ldap_table *ldap, struct client_config *config,
			    struct arena *arena)
{
	add_attributes(ldap, config, arena, "result_attribute", "maildrop", LDAP_KIND_ORDINARY);
	add_attributes(ldap, config, arena, "special_result_attribute", "", LDAP_KIND_SPECIAL);
	add_attributes(ldap, config, arena, "leaf_result_attribute", "", LDAP_KIND_LEAF);
	add_attributes(ldap, config, arena, "terminal_result_attribute", "", LDAP_KIND_TERMINAL);
	if (ldap->attribute_count == 0)
		client_config_reject(config, "result_attribute",
				     "no attribute would be a result, and none is followed");
	ldap->names = ARENA_ARRAY(arena, ldap->attribute_count + 1, char *);
	for (size_t i = 0; i < ldap->attribute_count; i++)
		ldap->names[i] = arena_str(arena, slice_str(ldap->attributes[i].name));
}

/* ---- open */

static void read_search(struct ldap_table *ldap, struct client_config *config)
{
	static const char *const scopes[] = {"sub", "base", "one", NULL};
	static const int scope_values[] = {LDAP_SCOPE_SUBTREE, LDAP_SCOPE_BASE,
					   LDAP_SCOPE_ONELEVEL};
	struct slice bad;
	int limit;

	ldap->base = client_config_text(config, "search_base", "");
	if (!client_config_has(config, "search_base"))
		client_config_reject(config, "search_base", "it is needed");
	if (!template_check(ldap->base, &bad))
		client_config_reject(config, "search_base", "\"%.*s\" has no meaning here",
				     SL_ARG(bad));
	ldap->scope = scope_values[choice(config, "scope", scopes)];
	ldap->dereference = client_config_number(config, "dereference", 0, 0, 3);
	ldap->version = client_config_number(config, "version", 3, 2, 3);
	ldap->chase_referrals = client_config_number(config, "chase_referrals", 0, 0, 1) != 0;
	limit = ldap->query.limit > INT_MAX ? INT_MAX : (int)ldap->query.limit;
	ldap->size_limit = client_config_number(config, "size_limit", limit, 0, INT_MAX);
	ldap->recursion_limit = client_config_number(config, "recursion_limit", 1000, 1, INT_MAX);
	ldap->timeout =
	    client_config_time(config, "timeout", TIMEOUT_SECONDS * INT64_C(1000000), 's');
}

static void read_bind(struct ldap_table *ldap, struct client_config *config)
{
	static const char *const ways[] = {"yes", "simple", "no", "none", "sasl", NULL};
	static const enum ldap_bind values[] = {LDAP_BIND_SIMPLE, LDAP_BIND_SIMPLE, LDAP_BIND_NONE,
						LDAP_BIND_NONE, LDAP_BIND_SASL};

	ldap->bind = values[choice(config, "bind", ways)];
	ldap->bind_dn = client_config_text(config, "bind_dn", "").p;
	ldap->bind_password = client_config_text(config, "bind_pw", "").p;
	ldap->sasl_mechanisms = text_or_null(config, "sasl_mechs");
	ldap->sasl_realm = text_or_null(config, "sasl_realm");
	ldap->sasl_authzid = text_or_null(config, "sasl_authz_id");
	ldap->sasl_minssf = client_config_number(config, "sasl_minssf", 0, 0, INT_MAX);
	if (ldap->bind == LDAP_BIND_SASL && ldap->version < 3)
		client_config_reject(config, "bind", "SASL needs \"version = 3\"");
}

static void read_tls(struct ldap_table *ldap, struct client_config *config)
{
	ldap->start_tls = client_config_bool(config, "start_tls", false);
	ldap->tls_ca_folder = text_or_null(config, "tls_ca_cert_dir");
	ldap->tls_ca_file = text_or_null(config, "tls_ca_cert_file");
	ldap->tls_cert = text_or_null(config, "tls_cert");
	ldap->tls_key = text_or_null(config, "tls_key");
	ldap->tls_ciphers = text_or_null(config, "tls_cipher_suite");
	ldap->tls_require = client_config_bool(config, "tls_require_cert", false);
	if (ldap->start_tls && ldap->version < 3)
		client_config_reject(config, "start_tls", "it needs \"version = 3\"");
}

/* ignore - known to Postfix, and without effect here. */
static void ignore(struct client_config *config)
{
	static const char *const names[] = {"cache", "cache_expiry", "cache_size", "debuglevel",
					    "tls_random_file"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		client_config_text(config, names[i], "");
}

static void read_query(struct ldap_table *ldap, struct client_config *config)
{
	struct slice bad, older;

	query_read(&ldap->query, config, "query_filter",
		   client_config_text(config, "query_filter", "mailacceptinggeneralid=%s"));
	older = client_config_text(config, "result_filter", "");
	if (client_config_has(config, "result_format") || older.n == 0)
		return;
	ldap->query.format = older;
	if (!template_check(ldap->query.format, &bad))
		client_config_reject(config, "result_filter", "\"%.*s\" has no meaning here",
				     SL_ARG(bad));
}

static bool table_open(struct client_config *config, struct arena *arena,
		       struct module_table *table, struct slice *why)
{
	struct ldap_table *ldap = ARENA_NEW(arena, struct ldap_table);
	int version;

	(void)why;
	table->state = ldap;
	read_query(ldap, config);
	query_read_times(config, table);
	read_hosts(config, arena, table);
	read_search(ldap, config);
	read_attributes(ldap, config, arena);
	read_bind(ldap, config);
	read_tls(ldap, config);
	ignore(config);
	table->timeout = 2 * ldap->timeout; /* to connect, and to search */
	if (!slice_is_null(client_config_problem(config))) {
		query_close(&ldap->query);
		return false;
	}
	/* makes the library read ldap.conf, and load what it needs, now */
	ldap_get_option(NULL, LDAP_OPT_PROTOCOL_VERSION, &version);
	return true;
}

static void table_close(struct module_table *table)
{
	struct ldap_table *ldap = table->state;

	query_close(&ldap->query);
}

static bool table_applies(const struct module_table *table, struct slice key)
{
	const struct ldap_table *ldap = table->state;
	struct lookup_text text;

	lookup_text_split(key, &text);
	return template_fits_query(ldap->base, &text) && query_applies(&ldap->query, key);
}

const struct table_module table_module = {
    .version = TABLE_MODULE_VERSION,
    .type = "ldap",
    .open = table_open,
    .applies = table_applies,
    .connect = ldap_open_connection,
    .lookup = ldap_find,
    .disconnect = ldap_close_connection,
    .close = table_close,
    .reads = table_reads,
    .ports = table_ports,
};
