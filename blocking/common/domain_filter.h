/* SPDX-License-Identifier: ISC */
/*
 * domain_filter - the parameter `domain` of the tables that ask a server: only addresses with a
 * local part and a domain that is in the list (literals, files, type:table) are looked up.
 *
 * Its tables are opened with the table's configuration, before the sandbox. They cannot block, and
 * any thread may ask: one at a time does.
 */
#ifndef COMMON_DOMAIN_FILTER_H
#define COMMON_DOMAIN_FILTER_H

#include "base/arena.h"
#include "blocking/common/template.h"
#include "blocking/proxymap/module.h"

struct domain_filter;

/* domain_filter_create - of the parameter's value; NULL for an empty one: everything passes. */
struct domain_filter *domain_filter_create(struct slice value);
/* domain_filter_destroy - sets *filter to NULL; NULL is allowed. */
void domain_filter_destroy(struct domain_filter **filter);
/*
 * domain_filter_ask - MODULE_FOUND: look the key up. MODULE_MISSING: do not. MODULE_TEMP: a table
 * of the list does not know, *why in the arena. filter may be NULL.
 */
enum module_result domain_filter_ask(struct domain_filter *filter, const struct lookup_text *key,
				     struct arena *arena, struct slice *why);

#endif
