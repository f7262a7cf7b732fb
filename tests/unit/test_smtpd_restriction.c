/* SPDX-License-Identifier: ISC */
/* What access control decides, says and logs; and what is done with lists that make no sense. */
#include "unit.h"

#include "smtpd_world.h"

#include <stdio.h>

/* One client's session, without a connection. */
struct client_case {
	const char *addr;
	const char *name; /* NULL: unknown */
	const char *helo;
	const char *sender; /* NULL: no MAIL yet */
	const char *recipient;
};

static const struct client_case stranger = {"203.0.113.9", "host.far.test", "host.far.test",
					    "a@far.test", "alice@here.test"};

static void open_session(struct session *s, struct world *w, const struct client_case *c)
{
	*s = (struct session){.p = &w->smtpd, .where = "RCPT", .esmtp = true};
	s->arena = arena_create();
	s->scratch = arena_create();
	buffer_init(&s->helo, 512);
	if (c->helo != NULL)
		buffer_append_str(&s->helo, c->helo);
	s->client.name = c->name ? slice_str(c->name) : SL("unknown");
	s->client.reverse = s->client.name;
	s->client.addr = slice_str(c->addr);
	s->client.name_status = s->client.reverse_status = c->name ? NAME_OK : NAME_MISSING;
	ip_parse(s->client.addr, &s->client.ip);
	s->client.full =
	    arena_printf(s->arena, "%.*s[%.*s]", SL_ARG(s->client.name), SL_ARG(s->client.addr));
	s->txn.open = c->sender != NULL;
	s->txn.sender = slice_str(c->sender);
	s->txn.arena = arena_create();
	s->recipient = slice_str(c->recipient);
}

static void close_session(struct session *s)
{
	session_reset(s);
	buffer_free(&s->helo);
	arena_destroy(&s->scratch);
	arena_destroy(&s->arena);
}

/* expect - what RCPT says to this client under this main.cf; "" for yes. */
#define expect(main_cf, client, answer) expect_at(main_cf, client, answer, __LINE__)

static void expect_at(const char *main_cf, const struct client_case *client, const char *answer,
		      int line)
{
	struct world *w = world_open(main_cf);
	struct session s;
	char got[600] = "";

	if (!w->open)
		fail_msg("line %d: not even opened", line);
	open_session(&s, w, client);
	if (!check_rcpt(&s))
		snprintf(got, sizeof(got), "%u %.*s %.*s", s.verdict.code, SL_ARG(s.verdict.status),
			 SL_ARG(s.verdict.text));
	if (strcmp(got, answer) != 0)
		fail_msg("line %d: said \"%s\"", line, got);
	close_session(&s);
	world_close(w);
}

static struct client_case to(const char *recipient)
{
	struct client_case c = stranger;

	c.recipient = recipient;
	return c;
}

static struct client_case from(const char *sender)
{
	struct client_case c = stranger;

	c.sender = sender;
	return c;
}

static struct client_case called(const char *helo)
{
	struct client_case c = stranger;

	c.helo = helo;
	return c;
}

static void relaying(void **state)
{
	struct client_case far = to("x@elsewhere.test"), friend = far,
			   routed = to("x%else.test@here.test");

	(void)state;
	friend.addr = "192.0.2.7";
	expect("", &stranger, "");
	expect("", &far, "454 4.7.1 <x@elsewhere.test>: Relay access denied");
	expect("", &friend, "");
	expect("smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination\n", &far,
	       "554 5.7.1 <x@elsewhere.test>: Relay access denied");
	expect("smtpd_relay_restrictions = reject_unauth_destination\n", &routed,
	       "554 5.7.1 <x%else.test@here.test>: Relay access denied");
	far = to("x@sub.relay.test");
	expect("", &far, "");
	far = to("info@alias.test");
	expect("", &far, "");
	far = to("Postmaster");
	expect("smtpd_client_restrictions = reject\n", &far, "");
	/* a permit in one list does not open the other */
	far = to("x@elsewhere.test");
	expect("smtpd_recipient_restrictions = permit\n", &far,
	       "454 4.7.1 <x@elsewhere.test>: Relay access denied");
	expect("smtpd_relay_restrictions =\nsmtpd_recipient_restrictions = "
	       "permit_auth_destination, reject\n",
	       &far, "554 5.7.1 <x@elsewhere.test>: Recipient address rejected: Access denied");
}

static void unlisted_recipients(void **state)
{
	struct client_case c = to("nobody@here.test");

	(void)state;
	expect("", &c,
	       "550 5.1.1 <nobody@here.test>: Recipient address rejected: User unknown in local "
	       "recipient table");
	expect("show_user_unknown_table_name = no\n", &c,
	       "550 5.1.1 <nobody@here.test>: Recipient address rejected: User unknown");
	expect("unknown_local_recipient_reject_code = 450\n", &c,
	       "450 4.1.1 <nobody@here.test>: Recipient address rejected: User unknown in local "
	       "recipient table");
	expect("smtpd_reject_unlisted_recipient = no\n", &c, "");
	expect("receive_override_options = no_unknown_recipient_checks\n", &c, "");
	expect("local_recipient_maps = fail:broken\n", &c,
	       "451 4.3.0 <nobody@here.test>: Temporary lookup failure");
	expect("soft_bounce = yes\n", &c,
	       "450 4.1.1 <nobody@here.test>: Recipient address rejected: User unknown in local "
	       "recipient table");
	c = to("nobody@alias.test");
	expect("", &c,
	       "550 5.1.1 <nobody@alias.test>: Recipient address rejected: User unknown in virtual "
	       "alias table");
	c = to("alice+news@here.test");
	expect("", &c, "");
}

static void plain_actions(void **state)
{
	(void)state;
	expect("smtpd_client_restrictions = reject\n", &stranger,
	       "554 5.7.1 <host.far.test[203.0.113.9]>: Client host rejected: Access denied");
	expect("smtpd_helo_restrictions = defer\n", &stranger,
	       "450 4.3.2 <host.far.test>: Helo command rejected: Try again later");
	expect("smtpd_sender_restrictions = reject\nreject_code = 599\n", &stranger,
	       "599 5.7.1 <a@far.test>: Sender address rejected: Access denied");
	expect("smtpd_client_restrictions = permit, reject\n", &stranger, "");
	expect("smtpd_client_restrictions = warn_if_reject reject\n", &stranger, "");
	/* warn_if_reject is for one restriction only */
	expect("smtpd_client_restrictions = warn_if_reject permit_mynetworks, reject\n", &stranger,
	       "554 5.7.1 <host.far.test[203.0.113.9]>: Client host rejected: Access denied");
	expect("smtpd_client_restrictions = defer_if_permit\n", &stranger,
	       "450 4.7.0 <host.far.test[203.0.113.9]>: Client host rejected: defer_if_permit "
	       "requested");
	expect(
	    "smtpd_recipient_restrictions = defer_if_reject, reject\n", &stranger,
	    "450 4.7.0 <alice@here.test>: Recipient address rejected: defer_if_reject requested");
	/* what is refused for good needs no deferral */
	struct client_case far = to("x@elsewhere.test");

	expect("smtpd_recipient_restrictions = defer_if_permit\n"
	       "smtpd_relay_restrictions = reject_unauth_destination\n",
	       &far, "554 5.7.1 <x@elsewhere.test>: Relay access denied");
	expect("mynetworks = /no/such/file\n", &stranger,
	       "451 4.3.0 <alice@here.test>: Temporary lookup failure");
}

static void names(void **state)
{
	static const char helo[] = "smtpd_helo_restrictions = reject_invalid_helo_hostname, "
				   "reject_non_fqdn_helo_hostname\n";
	static const char fqdn[] = "smtpd_sender_restrictions = reject_non_fqdn_sender\n"
				   "smtpd_recipient_restrictions = reject_non_fqdn_recipient\n";
	struct client_case c = called("bad_name!");

	(void)state;
	expect(helo, &stranger, "");
	expect(helo, &c, "501 5.5.2 <bad_name!>: Helo command rejected: Invalid name");
	c = called("localhost");
	expect(helo, &c,
	       "504 5.5.2 <localhost>: Helo command rejected: need fully-qualified hostname");
	c = called("[203.0.113.9]");
	expect(helo, &c, "");
	c = called("[IPv6:2001:db8::1]");
	expect(helo, &c, "");
	c = called(NULL);
	expect(helo, &c, "");
	c = from("a@far");
	expect(fqdn, &c,
	       "504 5.5.2 <a@far>: Sender address rejected: need fully-qualified address");
	c = from("");
	expect(fqdn, &c, "");
	c = to("alice");
	expect(fqdn, &c,
	       "504 5.5.2 <alice>: Recipient address rejected: need fully-qualified address");
	c = stranger;
	c.name = NULL;
	expect("smtpd_client_restrictions = reject_unknown_client_hostname\n", &c,
	       "450 4.7.25 Client host rejected: cannot find your hostname, [203.0.113.9]");
	expect("smtpd_client_restrictions = reject_unknown_reverse_client_hostname\n"
	       "unknown_client_reject_code = 550\n",
	       &c,
	       "550 5.7.25 Client host rejected: cannot find your reverse hostname, [203.0.113.9]");
	/* nobody to ask: that is never a no, and never a yes */
	expect("smtpd_sender_restrictions = reject_unknown_sender_domain\n", &stranger,
	       "450 4.1.8 <a@far.test>: Sender address rejected: Domain not found");
	expect("smtpd_sender_restrictions = reject_unknown_sender_domain, reject\n", &stranger,
	       "554 5.7.1 <a@far.test>: Sender address rejected: Access denied");
	c = from("bob@here.test");
	expect("smtpd_sender_restrictions = reject_unknown_sender_domain\n", &c, "");
}

static void access_tables(void **state)
{
	struct client_case c = stranger;

	(void)state;
	expect("smtpd_client_restrictions = check_client_access inline:{ 203.0.113=REJECT }\n", &c,
	       "554 5.7.1 <host.far.test[203.0.113.9]>: Client host rejected: Access denied");
	expect("smtpd_client_restrictions = inline:{{far.test = 521 5.7.9 go away}}\n", &c,
	       "521 5.7.9 <host.far.test[203.0.113.9]>: Client host rejected: go away");
	/* DUNNO on the name ends the look-up of the address in that table */
	expect("smtpd_client_restrictions = check_client_access inline:{ far.test=DUNNO, "
	       "203=REJECT }\n",
	       &c, "");
	expect(
	    "smtpd_client_restrictions = check_client_access cidr:{{203.0.113.0/24 DEFER later}}\n",
	    &c, "450 4.7.1 <host.far.test[203.0.113.9]>: Client host rejected: later");
	expect("smtpd_helo_restrictions = check_helo_access inline:{{host.far.test = REJECT 4.1.2 "
	       "hm}}\n",
	       &c, "454 4.0.0 <host.far.test>: Helo command rejected: hm");
	expect(
	    "smtpd_sender_restrictions = check_sender_access inline:{ a@=REJECT, far.test=OK }\n",
	    &c, "");
	expect("smtpd_sender_restrictions = check_sender_access inline:{ a@=REJECT }\n", &c,
	       "554 5.7.1 <a@far.test>: Sender address rejected: Access denied");
	c = from("");
	expect("smtpd_sender_restrictions = check_sender_access inline:{ <>=REJECT }\n", &c,
	       "554 5.7.1 <>: Sender address rejected: Access denied");
	c = to("Alice+x@here.test");
	expect("smtpd_recipient_restrictions = check_recipient_access inline:{{alice@here.test = "
	       "550 no}}\n",
	       &c, "550 5.7.1 <Alice+x@here.test>: Recipient address rejected: no");
	/* digits alone permit; a class is a list; unknown words are a mistake */
	expect("smtpd_recipient_restrictions = check_recipient_access "
	       "inline:{alice@here.test=550}, reject\n",
	       &c, "");
	expect("smtpd_restriction_classes = strict\nstrict = reject_non_fqdn_sender, reject\n"
	       "smtpd_recipient_restrictions = check_recipient_access "
	       "inline:{alice@here.test=strict}\n",
	       &c, "554 5.7.1 <Alice+x@here.test>: Recipient address rejected: Access denied");
	expect(
	    "smtpd_recipient_restrictions = check_recipient_access inline:{alice@here.test=FROB}\n",
	    &c, "451 4.3.5 Server configuration error");
	expect("smtpd_recipient_restrictions = check_recipient_access inline:{{alice@here.test=BCC "
	       "a@b}}\n",
	       &c, "451 4.3.5 Server configuration error");
	expect("smtpd_recipient_restrictions = check_recipient_access fail:x\n", &c,
	       "451 4.3.0 <Alice+x@here.test>: Temporary lookup failure");
	/* after DISCARD nothing is asked any more, relay control included */
	c = to("x@elsewhere.test");
	expect("smtpd_sender_restrictions = check_sender_access inline:{ far.test=DISCARD }\n", &c,
	       "");
	expect("smtpd_sender_restrictions = check_sender_access inline:{ far.test=HOLD }\n", &c,
	       "454 4.7.1 <x@elsewhere.test>: Relay access denied");
}

static void unusable_restrictions(void **state)
{
	struct world *w;

	(void)state;
	expect("smtpd_client_restrictions = reject_nonsense\n", &stranger,
	       "451 4.3.5 Server configuration error");
	expect("smtpd_client_restrictions = check_policy_service unix:private/x\n", &stranger,
	       "451 4.3.5 Server configuration error");
	expect("smtpd_client_restrictions = check_client_access\n", &stranger,
	       "451 4.3.5 Server configuration error");
	expect(
	    "smtpd_client_restrictions = permit_mynetworks, reject_rbl_client zen.test, permit\n",
	    &stranger, "451 4.3.5 Server configuration error");
	expect("smtpd_client_restrictions = warn_if_reject reject_rbl_client zen.test\n", &stranger,
	       "451 4.3.5 Server configuration error");
	assert_non_null(restriction_find(SL("reject_rbl_client")));
	/* a class that holds itself ends */
	expect("smtpd_restriction_classes = loop\nloop = loop\nsmtpd_client_restrictions = loop\n",
	       &stranger, "451 4.3.5 Server configuration error");
	w = world_open("smtpd_client_restrictions = permit_mynetworks, reject_nonsense\n");
	assert_true(world_logged("parameter smtpd_client_restrictions: unknown smtpd restriction: "
				 "\"reject_nonsense\""));
	world_close(w);
	/* an open relay does not start */
	w = world_open("smtpd_relay_restrictions = permit_mynetworks\n");
	assert_false(w->open);
	assert_true(world_logged("specify at least one working instance of"));
	world_close(w);
}

static void log_lines(void **state)
{
	struct world *w = world_open("smtpd_client_restrictions = warn_if_reject reject\n");
	struct client_case c = to("x@elsewhere.test");
	struct session s;

	(void)state;
	open_session(&s, w, &c);
	assert_false(check_rcpt(&s));
	assert_true(world_logged(
	    "NOQUEUE: reject_warning: RCPT from host.far.test[203.0.113.9]: 554 5.7.1 "
	    "<host.far.test[203.0.113.9]>: Client host rejected: Access denied; from=<a@far.test> "
	    "to=<x@elsewhere.test> proto=ESMTP helo=<host.far.test>\n"));
	assert_true(world_logged("NOQUEUE: reject: RCPT from host.far.test[203.0.113.9]: 454 4.7.1 "
				 "<x@elsewhere.test>: Relay "
				 "access denied; from=<a@far.test> to=<x@elsewhere.test> "
				 "proto=ESMTP helo=<host.far.test>\n"));
	close_session(&s);
	world_close(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(relaying),	     cmocka_unit_test(unlisted_recipients),
	    cmocka_unit_test(plain_actions), cmocka_unit_test(names),
	    cmocka_unit_test(access_tables), cmocka_unit_test(unusable_restrictions),
	    cmocka_unit_test(log_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
