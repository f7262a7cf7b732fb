/* SPDX-License-Identifier: ISC */
#include "smtp/client.h"
#include "log/events.h"

/* One delivery on its way through destinations and their servers. */
struct course {
	struct client_agent *agent;
	struct job *job;
	struct slice tried; /* relay of the kept session that was used before */
	struct tls_policy policy; /* of the present destination */
	int sessions;	    /* that were greeted */
	bool over;	    /* the limit of sessions is reached */
	bool fallback;	    /* the present destination is not the one that was asked for */
	void (*note)(void *arg, struct slice what);
	void *note_arg;
};

static void say(struct course *c, const char *what, struct slice about)
{
	if (c->note != NULL)
		c->note(c->note_arg, arena_printf(c->job->arena, "%s %.*s", what, SL_ARG(about)));
}

/* transact - with what is left of the session afterwards. */
static bool transact(struct course *c)
{
	struct session **s = &c->agent->session;
	bool served;

	say(c, "sends to", (*s)->relay);
	served = session_transact(*s, c->job);
	if (!served || !(*s)->alive)
		session_close(s, false);
	return served;
}

/* reuse - the session that an earlier delivery left, when it leads to the same destination. */
static void reuse(struct course *c)
{
	struct session **s = &c->agent->session;

	if (*s == NULL)
		return;
	if (!slice_eq((*s)->destination, c->job->request->nexthop) || !session_usable(*s)) {
		session_close(s, true);
		return;
	}
	c->tried = arena_dup(c->job->arena, (*s)->relay);
	c->job->last = false;
	if (!transact(c))
		c->tried = SL_NULL;
}

/* ---- one server */

static bool may_fall_back(const struct course *c, const struct failure *f)
{
	const struct client_conf *conf = &c->agent->client->conf;

	/* An attack on the handshake is to cost time at least, as in Postfix. */
	return f->handshake && c->policy.level <= TLS_LEVEL_MAY &&
	       os_wall() - c->job->request->arrival > conf->settings->minimal_backoff_time;
}

static bool open_session(struct course *c, struct session_setting *setting, struct failure *failure)
{
	struct arena *arena = c->job->arena;
	bool greeted;

	c->agent->session = session_open(setting, arena, failure, &greeted);
	if (c->agent->session == NULL && may_fall_back(c, failure)) {
		setting->plain = true;
		c->agent->session = session_open(setting, arena, failure, &greeted);
	}
	c->sessions += greeted;
	return c->agent->session != NULL;
}

static void not_opened(struct course *c, const struct failure *failure)
{
	if (failure->result == RES_PERM) {
		job_fail_all(c->job, false, failure);
		return;
	}
	if (!c->job->last && failure->relay.n > 0)
		LOG(session_failed, .queue_id = c->job->request->queue_id, .reason = failure->text);
	job_keep(c->job, failure);
}

static void try_target(struct course *c, const struct target *target, const struct targets *all,
		       struct slice domain)
{
	struct session_setting setting = {
	    .conf = &c->agent->client->conf,
	    .tls = c->agent->client->tls,
	    .target = target,
	    .destination = c->job->request->nexthop,
	    .policy = &c->policy,
	    .domain = domain,
	    .detect_loops = all->detect_loops,
	};
	struct failure failure;

	say(c, "connects to", target->host);
	if (!open_session(c, &setting, &failure)) {
		not_opened(c, &failure);
		return;
	}
	transact(c);
	if (c->job->left > 0)
		session_close(&c->agent->session, true);
}

/* ---- one destination */

/* was_tried - the kept session was one with this address. */
static bool was_tried(const struct course *c, const struct target *t)
{
	char text[IP_TEXT_SIZE];
	struct slice addr = ip_format(&t->addr, text);

	return c->tried.n > 0 &&
	       slice_eq(c->tried, arena_printf(c->job->arena, "%.*s[%.*s]:%u", SL_ARG(t->host),
					       SL_ARG(addr), t->port));
}

static void try_targets(struct course *c, const struct targets *targets, struct slice domain,
			bool last_destination)
{
	int limit = c->agent->client->conf.session_limit;

	for (size_t i = 0; i < targets->count && c->job->left > 0 && !c->over; i++) {
		if (was_tried(c, &targets->items[i]))
			continue;
		c->job->last = (last_destination && i + 1 == targets->count) ||
			       (limit > 0 && c->sessions + 1 >= limit);
		try_target(c, &targets->items[i], targets, domain);
		c->over = (limit > 0 && c->sessions >= limit) || fiber_cancelled();
	}
}

/*
 * not_found - a destination that we were told to use is a mistake of ours, not of the sender: it does not
 * bounce mail.
 */
static void not_found(struct course *c, bool configured, const char *parameter,
		      struct failure *failure)
{
	if (configured && failure->result == RES_PERM) {
		log_warning_text("%s configuration problem: %.*s", parameter, SL_ARG(failure->text));
		failure_soften(c->job->arena, failure);
		failure->dsn = SL("4.3.5");
		failure->destination = true;
	}
	job_keep(c->job, failure);
}

static bool is_relayhost(const struct client_conf *conf, struct slice word)
{
	struct slice rest = conf->settings->relayhost, one;

	while (slice_next(&rest, ", \t\r\n", &one))
		if (slice_eq(one, word))
			return true;
	return false;
}

static void try_destination(struct course *c, struct slice word, bool fallback, bool last)
{
	struct client *client = c->agent->client;
	const struct target_source source = {&client->conf, client->dns, &client->own};
	struct arena *arena = c->job->arena;
	struct targets targets;
	struct failure failure;
	struct nexthop hop;
	const char *why;

	if (!nexthop_parse(word, client->conf.lmtp, client->conf.port, &hop, &why)) {
		failure = failure_make(arena, "4.3.5", "%s in server description: \"%.*s\"", why, SL_ARG(word));
		log_warning_text("%.*s", SL_ARG(failure.text));
		job_keep(c->job, &failure);
		return;
	}
	if (policy_find(&client->conf, client->tls_policies, word, arena, &c->policy, &failure) != RES_OK) {
		job_keep(c->job, &failure);
		return;
	}
	c->fallback = fallback;
	say(c, "looks up", word);
	if (targets_find(&source, &hop, word, arena, &targets, &failure) == RES_OK)
		try_targets(c, &targets, hop.host, last);
	else
		not_found(c, fallback || is_relayhost(&client->conf, word),
			  fallback ? "smtp_fallback_relay" : "relayhost", &failure);
}

static size_t count_words(struct slice list)
{
	struct slice word;
	size_t n = 0;

	while (slice_next(&list, ", \t\r\n", &word))
		n++;
	return n;
}

static void try_list(struct course *c, struct slice list, bool fallback, size_t behind)
{
	size_t left = count_words(list) + behind;
	struct slice word;

	while (c->job->left > 0 && !c->over && slice_next(&list, ", \t\r\n", &word))
		try_destination(c, word, fallback, --left == 0);
}

void client_deliver(struct client_agent *agent, struct job *job, void (*note)(void *arg, struct slice what),
		    void *note_arg)
{
	struct course c = {.agent = agent, .job = job, .note = note, .note_arg = note_arg};
	struct slice fallback = agent->client->conf.fallback_relay;

	reuse(&c);
	if (job->left > 0)
		session_close(&agent->session, true);
	try_list(&c, job->request->nexthop, false, count_words(fallback));
	try_list(&c, fallback, true, 0);
	job_finish(job);
	agent->parting = agent->session != NULL && (c.fallback || !session_usable(agent->session));
}

void client_part(struct client_agent *agent)
{
	if (agent->parting)
		session_close(&agent->session, true);
	agent->parting = false;
}

void client_idle(struct client_agent *agent, bool ended)
{
	struct session *s = agent->session;

	if (s == NULL)
		return;
	if (ended || !session_usable(s) || os_now() - s->idle_since >= s->conf->cache_time)
		session_close(&agent->session, true);
}
