/* SPDX-License-Identifier: ISC */
#include "config/database.h"

#define COMMON "domain expansion_limit result_filter result_format "
#define SQL                                                                                      \
	"hosts user password dbname query table select_field where_field additional_conditions " \
	"select_function retry_interval idle_interval "

/* From ldap_table(5), mysql_table(5), pgsql_table(5), sqlite_table(5), memcache_table(5) of
 * Postfix. */
static const struct {
	const char *type;
	const char *parameters;
} types[] = {
    {"ldap",
     COMMON "server_host server_port timeout search_base query_filter result_attribute "
	    "special_result_attribute leaf_result_attribute terminal_result_attribute scope bind "
	    "bind_dn bind_pw sasl sasl_mechs sasl_realm sasl_authz_id sasl_minssf recursion_limit "
	    "size_limit dereference chase_referrals version debuglevel start_tls tls_ca_cert_dir "
	    "tls_ca_cert_file tls_cert tls_key tls_require_cert tls_random_file tls_cipher_suite "
	    "cache cache_expiry cache_size"},
    {"memcache",
     "memcache backup flags key_format domain data_size_limit line_size_limit timeout max_try "
     "retry_pause ttl"},
    {"mysql",
     COMMON SQL "charset option_file option_group require_result_set tls_cert_file tls_key_file "
		"tls_CAfile tls_CApath tls_ciphers tls_verify_cert"},
    {"pgsql", COMMON SQL "encoding"},
    {"sqlite", COMMON SQL "dbpath"},
};

static bool is_end(char c)
{
	return ascii_isspace(c) || c == ',' || c == '{' || c == '}';
}

struct slice database_parameters(struct slice type)
{
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (slice_eq(type, slice_str(types[i].type)))
			return slice_str(types[i].parameters);
	return SL_NULL;
}

bool database_knows(struct slice type, struct slice parameter)
{
	struct slice all = database_parameters(type);
	struct slice one;

	while (slice_next(&all, " ", &one))
		if (slice_eq(one, parameter))
			return true;
	return false;
}

/* split_table - type:name, whatever prefixes stand before it; false when there is none of these
 * types. */
static bool split_table(struct slice word, struct database_table *table)
{
	ssize_t colon;

	while ((colon = slice_find(word, ':')) > 0) {
		table->type = slice_sub(word, 0, (size_t)colon);
		word = slice_from(word, (size_t)colon + 1);
		if (!slice_is_null(database_parameters(table->type))) {
			table->name = word;
			return word.n > 0 &&
			       !slice_starts(word, SL("//")); /* not the URL of a server */
		}
	}
	return false;
}

bool database_next(struct slice *text, struct database_table *table)
{
	while (text->n > 0) {
		size_t n = 0;
		struct slice word;

		while (n < text->n && !is_end(text->p[n]))
			n++;
		word = slice_sub(*text, 0, n);
		*text = slice_from(*text, n < text->n ? n + 1 : n);
		if (split_table(word, table))
			return true;
	}
	return false;
}

bool database_in_file(const struct database_table *table)
{
	return table->name.p[0] == '/' || table->name.p[0] == '.';
}
