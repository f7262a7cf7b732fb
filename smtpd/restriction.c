/* SPDX-License-Identifier: ISC */
/* restriction - evaluating a list, refusing, and what is left pending. */
#include "log/events.h"
#include "smtpd/smtpd.h"

/* Lists in lists (classes, table values that name restrictions): deeper than any sane policy. */
#define DEPTH_MAX 20

static struct slice stage_name(const struct session *s)
{
	return slice_str(s->where);
}

void check_log(const struct check *c, const char *action, struct slice text)
{
	struct session *s = c->s;
	struct slice helo = buffer_slice(&s->helo);

	LOG(smtpd_action, .queue_id = session_queue_id(s),
	    .action = slice_str(action), .stage = stage_name(s), .name = s->client.name,
	    .addr = s->client.addr, .reply = text,
	    .from = !s->txn.open	  ? SL_NULL
		    : s->txn.sender.n > 0 ? s->txn.sender
					  : SL(""),
	    .to = s->recipient, .proto = session_proto(s), .helo = helo.n > 0 ? helo : SL_NULL);
}

struct slice check_about(const struct check *c, struct slice text)
{
	return arena_printf(c->arena, "<%.*s>: %.*s", SL_ARG(c->subject), SL_ARG(text));
}

static struct slice reply_text(const struct check *c, const struct smtp_reply *r)
{
	return arena_printf(c->arena, "%u %.*s %.*s", r->code, SL_ARG(r->status), SL_ARG(r->text));
}

/* make_reply - the status' class is made to fit the code, and soft_bounce is heeded. */
static struct smtp_reply make_reply(const struct check *c, unsigned code, const char *status,
				    struct slice text)
{
	if (code < 400 || code > 599) {
		LOG(restriction_problem, .parameter = slice_str(c->what),
		    .problem =
			arena_printf(c->arena, "reply code %u refuses nothing, using 450", code));
		code = 450;
	}
	if (c->s->p->settings->soft_bounce && code >= 500)
		code -= 100;
	return (struct smtp_reply){
	    .code = code,
	    .status = arena_printf(c->arena, "%u%s", code / 100, status[0] ? status + 1 : ".7.1"),
	    .text = text,
	};
}

enum verdict check_reject(struct check *c, unsigned code, const char *status, struct slice text)
{
	struct smtp_reply r = make_reply(c, code, status, text);

	if (c->warn) {
		check_log(c, "reject_warning", reply_text(c, &r));
		return VERDICT_DUNNO;
	}
	if (c->defer_if_reject.active && r.code >= 500)
		r = c->defer_if_reject.reply;
	check_log(c, "reject", reply_text(c, &r));
	c->s->verdict = r;
	return VERDICT_REJECT;
}

enum verdict check_rejected(struct check *c, unsigned code, const char *status, struct slice text)
{
	return check_reject(c, code, status,
			    arena_printf(c->arena, "<%.*s>: %s rejected: %.*s", SL_ARG(c->subject),
					 c->what, SL_ARG(text)));
}

enum verdict check_table_problem(struct check *c, struct slice reason)
{
	LOG(table_problem, .table = SL("access control"), .problem = reason);
	return check_reject(c, 451, "4.3.0", check_about(c, SL("Temporary lookup failure")));
}

enum verdict check_misconfigured(struct check *c, struct slice why)
{
	LOG(restriction_problem, .parameter = slice_str(c->what), .problem = why);
	/* warn_if_reject does not hide it: what it should have refused nobody knows */
	c->warn = false;
	return check_reject(c, 451, "4.3.5", SL("Server configuration error"));
}

/* leave_pending - the first reason stays. */
static void leave_pending(struct check *c, struct pending *pending, unsigned code,
			  const char *status, struct slice text)
{
	struct smtp_reply r = make_reply(c, code, status, text);

	if (c->warn) {
		check_log(c, "reject_warning", reply_text(c, &r));
		return;
	}
	if (!pending->active)
		*pending = (struct pending){.active = true, .reply = r};
}

void check_defer_if_permit(struct check *c, unsigned code, const char *status, struct slice text)
{
	leave_pending(c, &c->defer_if_permit, code, status, text);
}

void check_defer_if_reject(struct check *c, unsigned code, const char *status, struct slice text)
{
	leave_pending(c, &c->defer_if_reject, code, status, text);
}

static enum verdict evaluate_one(struct check *c, const struct restriction *r)
{
	if (r->list != NULL)
		return restriction_evaluate(c, r->list);
	if (r->kind == NULL)
		return check_misconfigured(
		    c,
		    arena_printf(c->arena, "unknown smtpd restriction: \"%.*s\"", SL_ARG(r->name)));
	if (r->kind->evaluate == NULL)
		return check_misconfigured(
		    c, arena_printf(c->arena, "smtpd restriction \"%.*s\" is not supported",
				    SL_ARG(r->name)));
	return r->kind->evaluate(c, r);
}

enum verdict restriction_evaluate(struct check *c, const struct restriction_list *list)
{
	enum verdict verdict = VERDICT_DUNNO;
	bool outer_warn = c->warn;

	if (c->depth >= DEPTH_MAX)
		return check_misconfigured(c, SL("smtpd restrictions are nested too deeply"));
	c->depth++;
	for (size_t i = 0; i < list->count && verdict == VERDICT_DUNNO; i++) {
		const struct restriction *r = &list->items[i];

		if (c->s->txn.discard)
			break; /* what will be thrown away needs no further check */
		if (slice_caseeq(r->name, SL("warn_if_reject"))) {
			c->warn = true;
			continue;
		}
		verdict = evaluate_one(c, r);
		c->warn = outer_warn; /* it was for one restriction */
	}
	c->warn = outer_warn;
	c->depth--;
	return verdict;
}
