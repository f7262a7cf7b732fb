/* SPDX-License-Identifier: ISC */
#include "unit.h"

#include "config/settings.h"
#include "route/route.h"

struct world {
	struct arena *arena;
	struct settings *settings;
	struct table_set *set;
	struct route *route;
};

static const char main_cf[] =
    "myhostname = mail.here.example\n"
    "mydomain = here.example\n"
    "myorigin = $mydomain\n"
    "mydestination = $myhostname, localhost.$mydomain, here.example\n"
    "inet_interfaces = 192.0.2.25\n"
    "proxy_interfaces = [2001:db8::25]\n"
    "append_dot_mydomain = yes\n"
    "recipient_delimiter = +\n"
    "virtual_alias_domains = alias.example\n"
    "virtual_alias_maps = inline:{ info@alias.example=bob, bob@here.example=robert, @catch.example=x }\n"
    "virtual_mailbox_domains = inline:{ box.example=x }\n"
    "virtual_mailbox_maps = inline:{ carol@box.example=carol/ }\n"
    "virtual_transport = lmtp:unix:private/dovecot\n"
    "relay_domains = relay.example\n"
    "relay_recipient_maps = inline:{ dave@relay.example=ok }\n"
    "local_recipient_maps = inline:{ alice=x, bob=y }\n"
    "transport_maps = inline:{ slow.example=slow:, .sub.example=:[gw.sub.example]:26,\n"
    "  {eve@sub.example = error:5.7.1 go away}, bob+list@mail.here.example=lists:box, keep.example=: }\n"
    "relocated_maps = inline:{ gone@here.example=gone@new.example }\n"
    "sender_dependent_relayhost_maps = inline:{ @paid.example=[out.paid.example] }\n";

static int setup_with(void **state, const char *more)
{
	struct world *w = test_calloc(1, sizeof(*w));
	struct config_problems problems;
	struct slice text;

	w->arena = arena_create();
	config_problems_init(&problems, w->arena);
	text = arena_printf(w->arena, "%s%s", main_cf, more);
	if (settings_parse(text, "/nowhere", NULL, 0, &problems, &w->settings) != RES_OK) {
		for (size_t i = 0; i < problems.count; i++)
			print_message("%s\n", config_problem_text(w->arena, &problems.items[i]).p);
		return -1;
	}
	w->set = table_set_create(NULL);
	w->route = route_create(w->settings, w->set);
	*state = w;
	return 0;
}

static int setup(void **state)
{
	return setup_with(state, "");
}

static int setup_relayhost(void **state)
{
	return setup_with(state, "relayhost = [smart.example]:587\n"
				 "relay_transport = relay\n"
				 "default_transport = smtp\n");
}

static int setup_broken(void **state)
{
	return setup_with(state, "relay_domains = hash:/nowhere/relay\n"
				 "local_recipient_maps = hash:/nowhere/users\n");
}

static int teardown(void **state)
{
	struct world *w = *state;

	route_destroy(&w->route);
	table_set_destroy(&w->set);
	settings_destroy(&w->settings);
	arena_destroy(&w->arena);
	test_free(w);
	return 0;
}

static struct slice rewritten(struct world *w, const char *address, enum route_context context)
{
	struct slice out;

	route_rewrite(w->route, slice_str(address), context, w->arena, &out);
	return out;
}

static void test_rewrite(void **state)
{
	struct world *w = *state;

	assert_slice(rewritten(w, "bob", ROUTE_CONTEXT_LOCAL), "bob@here.example");
	assert_slice(rewritten(w, "bob@host", ROUTE_CONTEXT_LOCAL), "bob@host.here.example");
	assert_slice(rewritten(w, "bob@host", ROUTE_CONTEXT_REMOTE), "bob@host");
	assert_slice(rewritten(w, "bob", ROUTE_CONTEXT_REMOTE), "bob");
	assert_slice(rewritten(w, "bob@[192.0.2.1]", ROUTE_CONTEXT_LOCAL), "bob@[192.0.2.1]");
	assert_slice(rewritten(w, "bob@a.example.", ROUTE_CONTEXT_LOCAL), "bob@a.example");
	assert_slice(rewritten(w, "site!bob", ROUTE_CONTEXT_LOCAL), "bob@site.here.example");
	assert_slice(rewritten(w, "bob%a.example", ROUTE_CONTEXT_LOCAL), "bob@a.example");
	assert_slice(rewritten(w, "bob%a@b.example", ROUTE_CONTEXT_LOCAL), "bob%a@b.example");
	assert_slice(rewritten(w, "@a,@b:bob@c.example", ROUTE_CONTEXT_LOCAL), "bob@c.example");
	assert_slice(rewritten(w, "", ROUTE_CONTEXT_LOCAL), "");
	assert_slice(rewritten(w, "!", ROUTE_CONTEXT_LOCAL), "!@here.example");
	assert_slice(rewritten(w, "%", ROUTE_CONTEXT_LOCAL), "%@here.example");
}

static struct route_target resolved_from(struct world *w, const char *from, const char *to)
{
	struct route_target target;
	struct slice reason;
	enum result rc = route_resolve(w->route, slice_str(from), slice_str(to), w->arena, &target,
				       &reason);

	if (rc != RES_OK)
		print_message("%.*s\n", SL_ARG(reason));
	assert_int_equal(rc, RES_OK);
	return target;
}

static struct route_target resolved(struct world *w, const char *to)
{
	return resolved_from(w, "", to);
}

#define assert_target(t, class, how, hop)          \
	do {                                       \
		struct route_target got = (t);     \
		assert_int_equal(got.flags, class); \
		assert_slice(got.transport, how);  \
		assert_slice(got.nexthop, hop);    \
	} while (0)

static void test_resolve_classes(void **state)
{
	struct world *w = *state;

	assert_target(resolved(w, "bob@Here.Example"), ROUTE_LOCAL, "local", "mail.here.example");
	assert_target(resolved(w, "bob"), ROUTE_LOCAL, "local", "mail.here.example");
	assert_slice(resolved(w, "bob").recipient, "bob@mail.here.example");
	assert_target(resolved(w, "bob@here.example."), ROUTE_LOCAL, "local", "mail.here.example");
	assert_target(resolved(w, "bob@[192.0.2.25]"), ROUTE_LOCAL, "local", "mail.here.example");
	assert_target(resolved(w, "bob@[IPv6:2001:db8:0::25]"), ROUTE_LOCAL, "local",
		      "mail.here.example");
	assert_target(resolved(w, "bob@[192.0.2.26]"), ROUTE_DEFAULT, "smtp", "[192.0.2.26]");
	assert_target(resolved(w, "x@alias.example"), ROUTE_VIRTUAL_ALIAS, "error",
		      "5.1.1 User unknown in virtual alias table");
	assert_target(resolved(w, "x@box.example"), ROUTE_VIRTUAL_MAILBOX, "lmtp",
		      "unix:private/dovecot");
	assert_target(resolved(w, "x@deep.Relay.example"), ROUTE_RELAY, "relay",
		      "deep.relay.example");
	assert_target(resolved(w, "x@far.example"), ROUTE_DEFAULT, "smtp", "far.example");
	assert_target(resolved_from(w, "me@paid.example", "x@far.example"), ROUTE_DEFAULT, "smtp",
		      "[out.paid.example]");
}

static void test_resolve_transport_maps(void **state)
{
	struct world *w = *state;

	assert_target(resolved(w, "x@slow.example"), ROUTE_DEFAULT, "slow", "slow.example");
	assert_target(resolved(w, "x@a.b.sub.example"), ROUTE_DEFAULT, "smtp",
		      "[gw.sub.example]:26");
	assert_target(resolved(w, "x@sub.example"), ROUTE_DEFAULT, "smtp", "sub.example");
	assert_target(resolved(w, "eve+x@sub.example"), ROUTE_DEFAULT, "error", "5.7.1 go away");
	assert_target(resolved(w, "bob+list"), ROUTE_LOCAL, "lists", "box");
	assert_target(resolved(w, "x@keep.example"), ROUTE_DEFAULT, "smtp", "keep.example");
	assert_target(resolved(w, "gone@here.example"), ROUTE_LOCAL, "error",
		      "5.1.6 User has moved to gone@new.example");
}

static void test_resolve_routing(void **state)
{
	struct world *w = *state;

	assert_target(resolved(w, "x%far.example@here.example"), ROUTE_DEFAULT | ROUTE_ROUTED,
		      "smtp", "far.example");
	assert_slice(resolved(w, "x%far.example@here.example").recipient, "x@far.example");
	assert_target(resolved(w, "x@far.example@here.example"), ROUTE_DEFAULT | ROUTE_ROUTED,
		      "smtp", "far.example");
	assert_target(resolved(w, "far.example!x@here.example"), ROUTE_DEFAULT | ROUTE_ROUTED,
		      "smtp", "far.example");
	assert_target(resolved(w, "x%a@relay.example"), ROUTE_RELAY | ROUTE_ROUTED, "relay",
		      "relay.example");
	assert_int_equal(resolved(w, "x@bad..example").flags, ROUTE_DEFAULT | ROUTE_INVALID);
	assert_int_equal(resolved(w, "x@[nonsense]").flags, ROUTE_DEFAULT | ROUTE_INVALID);
	assert_int_equal(resolved(w, "@far.example").flags, ROUTE_DEFAULT | ROUTE_INVALID);
}

/* However often it is nested, it ends. */
static void test_resolve_deep_routing(void **state)
{
	struct world *w = *state;
	struct slice deep = SL("x");
	struct route_target target;
	struct slice reason;

	for (int i = 0; i < 300; i++)
		deep = arena_printf(w->arena, "%.*s@here.example", SL_ARG(deep));
	assert_int_equal(route_resolve(w->route, SL(""), deep, w->arena, &target, &reason), RES_OK);
	assert_true(target.flags & ROUTE_INVALID);
}

static void test_resolve_relayhost(void **state)
{
	struct world *w = *state;

	assert_target(resolved(w, "x@far.example"), ROUTE_DEFAULT, "smtp", "[smart.example]:587");
	assert_target(resolved(w, "x@relay.example"), ROUTE_RELAY, "relay", "[smart.example]:587");
	assert_target(resolved(w, "x@slow.example"), ROUTE_DEFAULT, "slow", "slow.example");
	assert_target(resolved(w, "bob"), ROUTE_LOCAL, "local", "mail.here.example");
}

static enum result known(struct world *w, const char *to, struct slice *reason)
{
	struct route_target target = resolved(w, to);

	return route_known_recipient(w->route, &target, w->arena, reason);
}

static void test_known(void **state)
{
	struct world *w = *state;
	struct slice reason;

	assert_int_equal(known(w, "Alice+x@here.example", &reason), RES_OK);
	assert_int_equal(known(w, "alice@[192.0.2.25]", &reason), RES_OK);
	assert_int_equal(known(w, "nobody@here.example", &reason), RES_PERM);
	assert_slice(reason, "User unknown in local recipient table");
	assert_int_equal(known(w, "info@alias.example", &reason), RES_OK);
	assert_int_equal(known(w, "nobody@alias.example", &reason), RES_PERM);
	assert_slice(reason, "5.1.1 User unknown in virtual alias table");
	assert_int_equal(known(w, "carol@box.example", &reason), RES_OK);
	assert_int_equal(known(w, "nobody@box.example", &reason), RES_PERM);
	assert_slice(reason, "User unknown in virtual mailbox table");
	assert_int_equal(known(w, "dave@relay.example", &reason), RES_OK);
	assert_int_equal(known(w, "nobody@relay.example", &reason), RES_PERM);
	assert_slice(reason, "User unknown in relay recipient table");
	assert_int_equal(known(w, "x@far.example", &reason), RES_OK);
	assert_int_equal(known(w, "gone@here.example", &reason), RES_PERM);
	assert_slice(reason, "5.1.6 User has moved to gone@new.example");
}

static void test_broken_tables(void **state)
{
	struct world *w = *state;
	struct route_target target;
	struct slice reason;

	assert_int_equal(route_resolve(w->route, SL(""), SL("x@far.example"), w->arena, &target,
				       &reason),
			 RES_TEMP);
	assert_true(slice_search(reason, SL("hash:/nowhere/relay")) >= 0);
	/* what is decided before the broken table is asked still works */
	assert_int_equal(route_resolve(w->route, SL(""), SL("x@here.example"), w->arena, &target,
				       &reason),
			 RES_OK);
	assert_int_equal(route_known_recipient(w->route, &target, w->arena, &reason), RES_TEMP);
	assert_true(slice_search(reason, SL("hash:/nowhere/users")) >= 0);
}

static void test_address_find(void **state)
{
	struct world *w = *state;
	const struct address_find *how = route_address_find(w->route);
	struct table_list *list = table_list_create(
	    w->set,
	    SL("inline:{ {bob+x@a.example = 1}, {bob@b.example = 2}, {carol+x = 3}, {carol = 4}, "
	       "{@a.example = 5}, {\"a b\"@a.example = 6}}"),
	    TABLE_FOLD);
	struct slice value, extension;

	assert_int_equal(address_find(list, SL("Bob+X@A.example"), FIND_DEFAULT, how, w->arena,
				      &value, &extension),
			 TABLE_FOUND);
	assert_slice(value, "1");
	assert_true(slice_is_null(extension));
	address_find(list, SL("bob+Y@b.example"), FIND_DEFAULT, how, w->arena, &value, &extension);
	assert_slice(value, "2");
	assert_slice(extension, "+Y");
	address_find(list, SL("carol+x@here.example"), FIND_DEFAULT, how, w->arena, &value,
		     &extension);
	assert_slice(value, "3");
	address_find(list, SL("carol+z@here.example"), FIND_DEFAULT, how, w->arena, &value,
		     &extension);
	assert_slice(value, "4");
	assert_slice(extension, "+z");
	address_find(list, SL("zed@a.example"), FIND_DEFAULT, how, w->arena, &value, &extension);
	assert_slice(value, "5");
	address_find(list, SL("a b@a.example"), FIND_DEFAULT, how, w->arena, &value, &extension);
	assert_slice(value, "6");
	assert_int_equal(address_find(list, SL("carol@far.example"), FIND_DEFAULT, how, w->arena,
				      &value, &extension),
			 TABLE_MISSING);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_rewrite, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_resolve_classes, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_resolve_transport_maps, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_resolve_routing, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_resolve_deep_routing, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_resolve_relayhost, setup_relayhost, teardown),
	    cmocka_unit_test_setup_teardown(test_known, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_broken_tables, setup_broken, teardown),
	    cmocka_unit_test_setup_teardown(test_address_find, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
