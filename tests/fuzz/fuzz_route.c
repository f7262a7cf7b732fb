/* SPDX-License-Identifier: ISC */
/* Addresses through rewriting and resolution: any bytes give an answer that holds together. */
#include "base/check.h"
#include "config/settings.h"
#include "route/route.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const char main_cf[] =
    "myhostname = mail.here.example\nmydomain = here.example\nmyorigin = $mydomain\n"
    "mydestination = $myhostname, here.example\ninet_interfaces = 192.0.2.25\n"
    "append_dot_mydomain = yes\nrecipient_delimiter = +-\nrelay_domains = relay.example\n"
    "virtual_alias_domains = alias.example\nlocal_recipient_maps = inline:{ bob=x }\n"
    "transport_maps = inline:{ .sub.example=x:y, *=: }\n";

static void try_address(struct route *route, struct slice address, struct arena *arena)
{
	struct slice standard, again, reason;
	struct route_target target;
	enum result rc;

	route_rewrite(route, address, ROUTE_CONTEXT_LOCAL, arena, &standard);
	route_rewrite(route, address, ROUTE_CONTEXT_REMOTE, arena, &again);
	CHECK(address.n == 0 || slice_find(standard, '@') >= 0);
	rc = route_resolve(route, SL("me@here.example"), address, arena, &target, &reason);
	CHECK(rc == RES_OK && target.transport.n > 0);
	CHECK(__builtin_popcount(target.flags & ROUTE_CLASSES) == 1);
	rc = route_known_recipient(route, &target, arena, &reason);
	CHECK(rc != RES_TEMP && (rc == RES_OK || reason.n > 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct settings *settings;
	struct arena *arena = arena_create();
	struct table_set *set = table_set_create(NULL);
	struct route *route;

	if (settings == NULL) {
		struct config_problems problems;

		config_problems_init(&problems, arena);
		CHECK(settings_parse(slice_str(main_cf), "/cf", NULL, 0, &problems, &settings) ==
		      RES_OK);
	}
	route = route_create(settings, set);
	if (n < 4096)
		try_address(route, slice(data, n), arena);
	route_destroy(&route);
	table_set_destroy(&set);
	arena_destroy(&arena);
	return 0;
}
