/* SPDX-License-Identifier: ISC */
/*
 * resend - mail that goes on: one new message for each sender and Delivered-To it goes on with, so
 * that each of its recipients has a record of its own in the queue.
 */
#include "daemon/intake.h"
#include "daemon/mail_date.h"
#include "local/local.h"
#include "address/address.h"
#include "log/events.h"
#include "os/clock.h"
#include "os/file.h"
#include "queue/envelope.h"

struct target {
	struct target *next;
	struct slice address;
	uint32_t notify;
};

struct forward {
	struct forward *next;
	struct slice sender;
	struct slice delivered;
	bool kept_sender; /* what the sender said about reports still holds */
	struct target *first;
	struct target **last;
	struct slice id; /* once it is durable */
	struct intake *intake;
};

static struct forward *forward_for(struct delivery *d, const struct task *t)
{
	struct forward **at = &d->forwards;

	for (; *at != NULL; at = &(*at)->next)
		if (slice_eq((*at)->sender, t->sender) &&
		    slice_caseeq((*at)->delivered, t->delivered))
			return *at;
	*at = ARENA_NEW(d->arena, struct forward);
	(*at)->sender = t->sender;
	(*at)->delivered = t->delivered;
	(*at)->kept_sender = slice_eq(t->sender, d->request->sender);
	(*at)->last = &(*at)->first;
	return *at;
}

void resend_add(struct delivery *d, const struct task *t, struct slice address)
{
	struct forward *f;
	struct target *target;

	if (!delivery_once(d, "resend", arena_lower(d->arena, address)))
		return;
	if (d->probe) {
		struct outcome o =
		    outcome_sent(arena_printf(d->arena, "forwards to %.*s", SL_ARG(address)));

		delivery_ended(d, t, &o);
		return;
	}
	f = forward_for(d, t);
	target = ARENA_NEW(d->arena, struct target);
	target->address = address;
	target->notify = t->notify;
	*f->last = target;
	f->last = &target->next;
}

static void put_head(struct delivery *d, struct forward *f, int64_t deadline)
{
	const struct settings *s = d->p->settings;
	struct slice date = mail_date(d->arena, os_wall());

	intake_content(f->intake,
		       arena_printf(d->arena, "Received: by %.*s (%.*s)\r\n\tid %.*s; %.*s\r\n",
				    SL_ARG(s->myhostname), SL_ARG(s->mail_name),
				    SL_ARG(intake_id(f->intake)), SL_ARG(date)),
		       deadline);
	if (d->p->delivered_to_forward)
		intake_content(f->intake,
			       arena_printf(d->arena, "Delivered-To: %.*s\r\n",
					    SL_ARG(address_quote(d->arena, f->delivered))),
			       deadline);
}

/* put_message - false when it could not be read. */
static bool put_message(struct delivery *d, struct forward *f, int64_t deadline)
{
	const struct delivery_deliver *r = d->request;
	char *chunk = arena_alloc(d->arena, COPY_CHUNK);
	uint64_t done = 0;

	while (done < r->size && !intake_failed(f->intake)) {
		uint64_t left = r->size - done;
		size_t want = left < COPY_CHUNK ? (size_t)left : COPY_CHUNK;
		ssize_t n = os_pread_full(r->content, chunk, want, (off_t)(r->offset + done));

		if (n < 0 || (size_t)n != want)
			return false;
		intake_content(f->intake, slice(chunk, want), deadline);
		done += want;
	}
	return true;
}

static bool begin(struct delivery *d, struct forward *f, int64_t deadline)
{
	const struct delivery_deliver *r = d->request;
	struct cleanup_envelope_begin envelope = {
	    .origin = CLEANUP_ORIGIN_FORWARD,
	    .context = slice_eq(r->rewrite_context, SL("remote")) ? CLEANUP_CONTEXT_REMOTE
								  : CLEANUP_CONTEXT_LOCAL,
	    .no_header_body_checks = true,
	    .no_milters = true,
	    .smtputf8 = (r->flags & QUEUE_SMTPUTF8) != 0,
	    .body = r->flags & QUEUE_BODY_8BITMIME ? CLEANUP_BODY_EIGHTBITMIME : CLEANUP_BODY_UNSET,
	    .sender = f->sender,
	    .ret = f->kept_sender ? r->ret : MAIL_RET_UNSET,
	    .envid = f->kept_sender ? r->envid : SL_NULL,
	    .size_hint = r->size,
	    .arrival = os_wall(),
	    .client = r->client,
	    .sasl = r->sasl,
	    .log_ident = r->log_ident,
	    .origin_name = SL("local"),
	};
	struct intake_result failure;
	enum result rc =
	    intake_begin(d->p->cleanup, &envelope, deadline, &f->intake, &failure);

	for (const struct target *to = f->first; rc == RES_OK && to != NULL; to = to->next) {
		struct cleanup_envelope_rcpt rcpt = {.address = to->address, .notify = to->notify};

		if (f->kept_sender) {
			rcpt.orig = d->rcpt->orig.n > 0 ? d->rcpt->orig : d->rcpt->address;
			rcpt.orcpt = d->rcpt->orcpt;
		}
		intake_recipient(f->intake, &rcpt, deadline);
	}
	/* Received: names the queue id */
	return rc == RES_OK && intake_open(f->intake, deadline, NULL) == RES_OK;
}

static bool resend(struct delivery *d, struct forward *f)
{
	int64_t deadline = os_deadline(d->p->settings->ipc_timeout);
	struct intake_result result;
	bool ok = begin(d, f, deadline);

	if (ok) {
		put_head(d, f, deadline);
		ok = put_message(d, f, deadline) &&
		     intake_commit(f->intake, deadline, &result) == RES_OK;
		f->id = arena_dup(d->arena, intake_id(f->intake));
	}
	intake_end(&f->intake);
	return ok;
}

void resend_all(struct delivery *d)
{
	struct task whole = {.address = d->rcpt->address};

	for (struct forward *f = d->forwards; f != NULL && !d->deferred; f = f->next) {
		struct outcome o;

		o = resend(d, f)
			? outcome_sent(arena_printf(d->arena, "forwarded as %.*s", SL_ARG(f->id)))
			: outcome_failed(SL("4.3.0"), SL("unable to forward message"));
		delivery_ended(d, &whole, &o);
	}
}
