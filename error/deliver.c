/* SPDX-License-Identifier: ISC */
#include "error/deliver.h"
#include "daemon/agent.h"
#include "smtp/status.h"

/*
 * reason - the next hop as status and text. A status of another class than the outcome's is not
 * believed: `error:4.x` bounces with 5.0.0.
 */
static void reason(struct slice nexthop, uint8_t class, struct agent_outcome *o)
{
	struct enhanced_status status;
	struct slice rest;

	if (enhanced_parse(nexthop, &status, &rest) && status.class == class) {
		o->dsn = slice_sub(nexthop, 0, (size_t)slice_find(nexthop, ' '));
		o->text = slice_trim(rest);
	} else {
		o->dsn = class == 5 ? SL("5.0.0") : SL("4.0.0");
		o->text = nexthop;
	}
}

static void bounce(struct agent_delivery *d, void *own)
{
	struct agent_outcome o = {.status = DELIVERY_STATUS_BOUNCED, .relay = SL("none")};

	(void)own;
	reason(d->request->nexthop, 5, &o);
	agent_report_rest(d, &o);
}

static void defer(struct agent_delivery *d, void *own)
{
	struct agent_outcome o = {.status = DELIVERY_STATUS_DEFERRED, .relay = SL("none")};

	(void)own;
	reason(d->request->nexthop, 4, &o);
	agent_report_rest(d, &o);
}

static void throw_away(struct agent_delivery *d, void *own)
{
	struct slice why = d->request->nexthop;
	struct agent_outcome o = {.status = DELIVERY_STATUS_SENT,
				  .dsn = SL("2.0.0"),
				  .text = why.n > 0 ? why : SL("no reason given"),
				  .relay = SL("none")};

	(void)own;
	agent_report_rest(d, &o);
}

void error_session(struct daemon_context *context, struct daemon_session *session)
{
	static const struct agent bouncing = {.deliver = bounce};
	static const struct agent deferring = {.deliver = defer};
	bool retry = slice_eq(context->service, SL("retry"));

	agent_session(context, session, retry ? &deferring : &bouncing, NULL);
}

void discard_session(struct daemon_context *context, struct daemon_session *session)
{
	static const struct agent discarding = {.deliver = throw_away};

	agent_session(context, session, &discarding, NULL);
}
