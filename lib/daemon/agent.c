/* SPDX-License-Identifier: ISC */
#include "daemon/agent.h"

#include "base/check.h"
#include "daemon/agent_link.h"
#include "log/events.h"
#include "os/clock.h"
#include "queue/envelope.h"

static int64_t not_negative(int64_t t)
{
	return t > 0 ? t : 0;
}

static const char *status_word(enum delivery_status status)
{
	switch (status) {
	case DELIVERY_STATUS_SENT:
		return "sent";
	case DELIVERY_STATUS_DEFERRED:
		return "deferred";
	case DELIVERY_STATUS_BOUNCED:
		return "bounced";
	case DELIVERY_STATUS_EXPANDED:
		return "expanded";
	case DELIVERY_STATUS_UNDELIVERABLE:
		return "undeliverable";
	case DELIVERY_STATUS_DELIVERABLE:
		return "deliverable";
	}
	return "unknown";
}

/* log_outcome - the `to=<...> ... status=` line; delays=a/b/c/d as in Postfix's qmgr and agents. */
static void log_outcome(const struct agent_delivery *d, struct slice to, struct slice orig,
			const struct agent_outcome *o, const char *status)
{
	const struct delivery_deliver *r = d->request;
	int64_t now = os_wall();
	/* a session that was there already cost no time to set up */
	int64_t ready = o->connected > d->begun ? o->connected : d->begun;
	bool original = orig.n > 0 && !slice_caseeq(orig, to);

	LOG(delivery, .queue_id = r->queue_id, .to = to, .orig_to = original ? orig : SL_NULL,
	    .relay = o->relay.n > 0 ? o->relay : SL("none"),
	    .conn_use = o->conn_use > 1 ? o->conn_use : 0,
	    .delay = not_negative(now - r->arrival),
	    .a = not_negative(r->active - r->arrival),
	    .b = not_negative(d->begun - r->active),
	    .c = ready - d->begun,
	    .d = not_negative(now - ready),
	    .dsn = o->dsn,
	    .status = slice_str(status),
	    .text = o->text);
}

/* probe - an address probe ends with what was found out. */
static void probe(const struct agent_delivery *d, struct agent_outcome *o)
{
	if (!(d->request->flags & QUEUE_VERIFY))
		return;
	if (o->status == DELIVERY_STATUS_SENT || o->status == DELIVERY_STATUS_EXPANDED)
		o->status = DELIVERY_STATUS_DELIVERABLE;
	else if (o->status != DELIVERY_STATUS_DELIVERABLE)
		o->status = DELIVERY_STATUS_UNDELIVERABLE;
}

/* soften - soft_bounce: what would be returned to its sender is kept and tried again. */
static const char *soften(const struct agent_delivery *d, struct agent_outcome *o)
{
	const char *status = status_word(o->status);

	if (o->status != DELIVERY_STATUS_BOUNCED || !d->context->settings->soft_bounce)
		return status;
	o->status = DELIVERY_STATUS_DEFERRED;
	if (o->dsn.n > 0)
		o->dsn = arena_printf(d->arena, "4%.*s", SL_ARG(slice_from(o->dsn, 1)));
	return "SOFTBOUNCE";
}

void agent_log(struct agent_delivery *d, struct slice to, struct slice orig,
	       const struct agent_outcome *outcome)
{
	struct agent_outcome o = *outcome;
	const char *status;

	probe(d, &o);
	status = soften(d, &o);
	log_outcome(d, to, orig, &o, status);
}

void agent_tell(struct agent_delivery *d, size_t position, const struct agent_outcome *outcome)
{
	const struct mail_recipient *rcpt = &d->request->recipients[position];
	struct agent_outcome o = *outcome;

	CHECK(position < d->request->recipients_count && !d->reported[position]);
	d->reported[position] = true;
	d->reported_count++;
	probe(d, &o);
	soften(d, &o);
	link_tell(d->link, d->prompt && d->reported_count == d->request->recipients_count,
		  &(struct delivery_outcome){
		      .index = rcpt->index,
		      .status = o.status,
		      .dsn = o.dsn,
		      .text = o.text,
		      .relay = o.relay,
		      .mta = o.mta,
		      .remote = o.remote,
		      .final = o.final,
		      .dsn_passed_on = o.dsn_passed_on,
		  });
}

void agent_report(struct agent_delivery *d, size_t position, const struct agent_outcome *outcome)
{
	const struct mail_recipient *rcpt = &d->request->recipients[position];

	agent_log(d, rcpt->address, rcpt->orig, outcome);
	agent_tell(d, position, outcome);
}

bool agent_reported(const struct agent_delivery *d, size_t position)
{
	return d->reported[position];
}

void agent_report_rest(struct agent_delivery *d, const struct agent_outcome *outcome)
{
	for (size_t i = 0; i < d->request->recipients_count; i++)
		if (!d->reported[i])
			agent_report(d, i, outcome);
}
