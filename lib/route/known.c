/* SPDX-License-Identifier: ISC */
/* known - does a recipient exist (LOCAL_RECIPIENT_README, ADDRESS_CLASS_README)? */
#include "route/route_state.h"

static enum table_result find(struct route *route, struct table_list *list,
			      const struct route_target *target, struct arena *arena,
			      struct slice *reason)
{
	struct slice value;
	enum table_result result = address_find(list, target->recipient, FIND_DEFAULT, &route->find,
						arena, &value, NULL);

	if (result == TABLE_TEMP)
		*reason = value;
	return result;
}

/* is_rewritten - a table will send the mail somewhere else, whatever the class says. */
static enum table_result is_rewritten(struct route *route, const struct route_target *target,
				      struct arena *arena, struct slice *reason)
{
	enum table_result result;

	result = find(route, route->recipient_canonical_maps, target, arena, reason);
	if (result == TABLE_MISSING)
		result = find(route, route->canonical_maps, target, arena, reason);
	if (result == TABLE_MISSING)
		result = find(route, route->virtual_alias_maps, target, arena, reason);
	return result;
}

/* class_table - who knows the recipients of a class; NULL: nobody does. */
static struct table_list *class_table(struct route *route, unsigned flags, struct slice *unknown)
{
	switch (flags & ROUTE_CLASSES) {
	case ROUTE_LOCAL:
		*unknown = SL("User unknown in local recipient table");
		return route->local_recipient_maps;
	case ROUTE_VIRTUAL_MAILBOX:
		*unknown = SL("User unknown in virtual mailbox table");
		return route->virtual_mailbox_maps;
	case ROUTE_RELAY:
		*unknown = SL("User unknown in relay recipient table");
		return route->relay_recipient_maps;
	default:
		return NULL;
	}
}

static enum result look_up_class(struct route *route, const struct route_target *target,
				 struct arena *arena, struct slice *reason)
{
	struct slice unknown = SL_NULL;
	struct table_list *list = class_table(route, target->flags, &unknown);

	if (list == NULL || table_list_empty(list))
		return RES_OK;
	switch (find(route, list, target, arena, reason)) {
	case TABLE_FOUND:
		return RES_OK;
	case TABLE_TEMP:
		return RES_TEMP;
	case TABLE_MISSING:
		break;
	}
	*reason = route->settings->show_user_unknown_table_name ? unknown : SL("User unknown");
	return RES_PERM;
}

enum result route_known_recipient(struct route *route, const struct route_target *target,
				  struct arena *arena, struct slice *reason)
{
	*reason = SL_NULL;
	switch (is_rewritten(route, target, arena, reason)) {
	case TABLE_FOUND:
		return RES_OK;
	case TABLE_TEMP:
		return RES_TEMP;
	case TABLE_MISSING:
		break;
	}
	if (slice_eq(target->transport, SL("error")) || slice_eq(target->transport, SL("retry"))) {
		*reason = target->nexthop;
		return slice_eq(target->transport, SL("error")) ? RES_PERM : RES_TEMP;
	}
	return look_up_class(route, target, arena, reason);
}
