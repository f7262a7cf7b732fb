/* SPDX-License-Identifier: ISC */
#include "blocking/common/domain_filter.h"

#include "base/check.h"
#include "table/match_list.h"

#include <pthread.h>
#include <stdlib.h>

struct domain_filter {
	pthread_mutex_t one; /* a table set belongs to one thread at a time */
	struct table_set *set;
	struct match_list *list;
};

struct domain_filter *domain_filter_create(struct slice value)
{
	struct domain_filter *filter;

	if (slice_trim(value).n == 0)
		return NULL;
	filter = calloc(1, sizeof(*filter));
	if (filter == NULL)
		out_of_memory();
	pthread_mutex_init(&filter->one, NULL);
	filter->set = table_set_create(NULL);
	filter->list = match_list_create(filter->set, value, 0);
	return filter;
}

void domain_filter_destroy(struct domain_filter **filter)
{
	if (*filter == NULL)
		return;
	table_set_destroy(&(*filter)->set);
	pthread_mutex_destroy(&(*filter)->one);
	free(*filter);
	*filter = NULL;
}

enum module_result domain_filter_ask(struct domain_filter *filter, const struct lookup_text *key,
				     struct arena *arena, struct slice *why)
{
	enum table_result result;

	if (filter == NULL)
		return MODULE_FOUND;
	if (!key->qualified || key->local.n == 0 || key->domain.n == 0)
		return MODULE_MISSING;
	pthread_mutex_lock(&filter->one);
	result = match_list_string(filter->list, key->domain, arena, why);
	pthread_mutex_unlock(&filter->one);
	return result == TABLE_FOUND	 ? MODULE_FOUND
	       : result == TABLE_MISSING ? MODULE_MISSING
					 : MODULE_TEMP;
}
