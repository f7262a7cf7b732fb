/* SPDX-License-Identifier: ISC */
/* smtp, lmtp - delivery to the next hop; which of the two it is, its name says. */
#include "daemon/agent.h"
#include "log/log.h"
#include "smtp/client.h"

static enum result open_tls(struct client *client, const struct daemon_context *context)
{
	struct tls_options options;
	struct slice problem;

	if (client->conf.tls_level == TLS_LEVEL_DANE) {
		log_warning_text("TLS level \"dane\": TLSA records are not looked up, TLS is opportunistic");
		client->conf.tls_level = TLS_LEVEL_MAY;
	}
	if (client->conf.tls_level == TLS_LEVEL_NONE && table_list_empty(client->tls_policies))
		return RES_OK;
	client_conf_tls(context->settings, client->conf.lmtp, &options);
	if (tls_client_context(&options, context->arena, &client->tls, &problem) != RES_OK) {
		/* Mail that needs TLS waits; other mail goes on. */
		client->tls = NULL;
		log_warning_text("TLS cannot be used: %.*s", SL_ARG(problem));
	}
	return RES_OK;
}

static void warn(void *data, struct slice text)
{
	(void)data;
	log_warning_text("%.*s", SL_ARG(text));
}

static enum result client_open(struct daemon_context *context)
{
	struct table_config tables = {.warn = warn, .remote = daemon_remote(context->settings)};
	struct client *client = ARENA_NEW(context->arena, struct client);
	bool lmtp = slice_eq(context->settings->process_name, SL("lmtp"));
	struct slice problem;

	if (client_conf_load(context->settings, lmtp, context->arena, &client->conf, &problem) !=
	    RES_OK) {
		log_fatal_text("%.*s", SL_ARG(problem));
		return RES_PERM;
	}
	own_addresses_load(context->settings, context->arena, &client->own);
	client->tables = table_set_create(&tables);
	client->tls_policies = table_list_create(client->tables, client->conf.policy_maps, TABLE_FOLD);
	client->dns = dns_client_create("private/resolver");
	context->state = client;
	return open_tls(client, context);
}

static void report(void *arg, size_t position, const struct agent_outcome *outcome)
{
	agent_report(arg, position, outcome);
}

static void note(void *arg, struct slice what)
{
	struct agent_delivery *d = arg;

	daemon_session_note(d->session, arena_printf(d->arena, "%.*s %.*s",
						     SL_ARG(d->request->queue_id), SL_ARG(what)));
}

static void deliver(struct agent_delivery *d, void *own)
{
	struct client_agent *agent = own;
	struct job job;

	job_init(&job, &agent->client->conf, d->request, d->arena);
	job.report = report;
	job.arg = d;
	client_deliver(agent, &job, note, d);
	if (daemon_draining(d->context) && agent->session != NULL)
		agent->parting = true;
	d->done.session_open = agent->session != NULL && !agent->parting;
	d->done.nexthop = d->request->nexthop;
	d->done.host_dead = job.destination_failed;
	d->done.dead_dsn = job.dead.dsn;
	d->done.dead_text = job.dead.text;
}

static void after(void *own)
{
	client_part(own);
}

static void idle(void *own, bool ended)
{
	client_idle(own, ended);
}

static void start(struct daemon_context *context)
{
	const struct client *client = context->state;

	daemon_watch_tables(context, client->tables);
}

static void serve(struct daemon_context *context, struct daemon_session *session)
{
	static const struct agent agent = {.deliver = deliver, .after = after, .idle = idle, .prompt = true};
	struct client_agent own = {.client = context->state};

	agent_session(context, session, &agent, &own);
}

static const struct daemon smtp_daemon = {
    .name = "smtp",
    .open = client_open,
    .start = start,
    .session = serve,
    .exit_when_idle = true,
};

int main(int argc, char **argv)
{
	return daemon_main(argc, argv, &smtp_daemon);
}
