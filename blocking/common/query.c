/* SPDX-License-Identifier: ISC */
#include "blocking/common/query.h"

#include <limits.h>

/* check - a template that is no template is a problem of the parameter. */
static void check(struct client_config *config, const char *parameter, struct slice template)
{
	struct slice bad = SL_NULL;

	if (template_check(template, &bad))
		return;
	client_config_reject(config, parameter,
			     "\"%.*s\" is none of %%s %%u %%d %%S %%U %%D %%1 to %%9 %%%%",
			     SL_ARG(bad));
}

void query_read(struct query *query, struct client_config *config, const char *parameter,
		struct slice template)
{
	query->template = template;
	query->format = client_config_text(config, "result_format", "%s");
	query->limit = (size_t)client_config_number(config, "expansion_limit", 0, 0, INT_MAX);
	query->domain = domain_filter_create(client_config_text(config, "domain", ""));
	check(config, parameter, template);
	check(config, "result_format", query->format);
	if (query->format.n == 0)
		client_config_reject(config, "result_format", "it may not be empty");
}

/* needed - a parameter of the older interface. */
static struct slice needed(struct client_config *config, const char *name)
{
	struct slice value = client_config_text(config, name, "");

	if (value.n == 0)
		client_config_reject(config, name,
				     "needed where there is no \"query\"; it may not be empty");
	return value;
}

/* older_query - SELECT field FROM table WHERE field = '%s' conditions. */
static struct slice older_query(struct client_config *config, struct arena *arena)
{
	struct slice field = needed(config, "select_field"), table = needed(config, "table"),
		     where = needed(config, "where_field"),
		     more = client_config_text(config, "additional_conditions", "");

	return arena_printf(arena, "SELECT %.*s FROM %.*s WHERE %.*s = '%%s' %.*s", SL_ARG(field),
			    SL_ARG(table), SL_ARG(where), SL_ARG(more));
}

/* know_older - without effect beside a newer form, they are no misspelled parameters all the same.
 */
static void know_older(struct client_config *config)
{
	static const char *const names[] = {"select_field", "table", "where_field",
					    "additional_conditions"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		client_config_text(config, names[i], "");
}

void query_read_sql(struct query *query, struct client_config *config, struct arena *arena,
		    bool functions)
{
	struct slice text = client_config_text(config, "query", ""), function = SL("");

	if (functions)
		function = client_config_text(config, "select_function", "");
	know_older(config);
	if (text.n > 0) {
		query_read(query, config, "query", text);
	} else if (function.n > 0) {
		text = arena_printf(arena, "SELECT %.*s('%%s')", SL_ARG(function));
		query_read(query, config, "select_function", text);
	} else {
		text = older_query(config, arena);
		query_read(query, config, "additional_conditions", text);
	}
}

void query_read_times(struct client_config *config, struct module_table *table)
{
	table->timeout = client_config_time(config, "timeout", 0, 's');
	table->idle = client_config_time(config, "idle_interval", 0, 's');
	table->retry = client_config_time(config, "retry_interval", 0, 's');
}

void query_close(struct query *query)
{
	domain_filter_destroy(&query->domain);
}

static bool fits(const struct query *query, const struct lookup_text *text)
{
	return text->all.n > 0 && template_fits_query(query->template, text) &&
	       template_fits_result(query->format, text);
}

bool query_applies(const struct query *query, struct slice key)
{
	struct arena *arena;
	struct lookup_text text;
	struct slice why;
	bool may;

	lookup_text_split(key, &text);
	if (!fits(query, &text))
		return false;
	if (query->domain == NULL)
		return true;
	arena = arena_create();
	may = domain_filter_ask(query->domain, &text, arena, &why) != MODULE_MISSING;
	arena_destroy(&arena);
	return may;
}

enum module_result query_admit(const struct query *query, struct slice key, struct arena *arena,
			       struct lookup_text *text, struct slice *why)
{
	lookup_text_split(key, text);
	if (!fits(query, text))
		return MODULE_MISSING;
	return domain_filter_ask(query->domain, text, arena, why);
}
