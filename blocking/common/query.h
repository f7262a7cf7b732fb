/* SPDX-License-Identifier: ISC */
/*
 * query - what all tables that ask a server have in common: a template that makes a query of a key,
 * what is done with the values (`result_format`, `expansion_limit`), and which keys are looked up
 * at all (`domain`). Read once, then asked by any thread.
 */
#ifndef COMMON_QUERY_H
#define COMMON_QUERY_H

#include "blocking/common/answer.h"
#include "blocking/common/client_config.h"
#include "blocking/common/domain_filter.h"
#include "blocking/common/template.h"
#include "blocking/proxymap/module.h"

struct query {
	struct slice template;
	struct slice format;	      /* result_format */
	size_t limit;		      /* expansion_limit; 0: none */
	struct domain_filter *domain; /* NULL: no filter */
};

/*
 * query_read - result_format, expansion_limit and domain, with this template. What is wrong is
 * rejected in `config`; `parameter` is where the template came from.
 */
void query_read(struct query *query, struct client_config *config, const char *parameter,
		struct slice template);
/*
 * query_read_sql - the same with the template from `query`; without one, from the older parameters:
 * select_function (where `functions`), or table, select_field, where_field, additional_conditions.
 */
void query_read_sql(struct query *query, struct client_config *config, struct arena *arena,
		    bool functions);
/* query_read_times - timeout, idle_interval, retry_interval: those of the framework. */
void query_read_times(struct client_config *config, struct module_table *table);
void query_close(struct query *query);

/*
 * query_applies - false: the table cannot have the key, and the server need not be asked. A domain
 * list that does not know says true: query_admit tells why.
 */
bool query_applies(const struct query *query, struct slice key);
/*
 * query_admit - the same for a lookup: MODULE_FOUND, and the key in parts; MODULE_MISSING;
 * MODULE_TEMP and *why in the arena.
 */
enum module_result query_admit(const struct query *query, struct slice key, struct arena *arena,
			       struct lookup_text *text, struct slice *why);

#endif
