/* SPDX-License-Identifier: ISC */
#include "bounce/notice.h"
#include "bounce/wording.h"
#include "address/address.h"
#include "message/dsn.h"
#include "message/header.h"
#include "message/report.h"
#include "queue/envelope.h"

#define TEXT_COLUMNS 78
#define TEXT_INDENT "    "

bool notice_due(enum bounce_kind kind, uint32_t notify)
{
	if (kind == BOUNCE_KIND_VERIFY)
		return true;
	if (notify & MAIL_NOTIFY_NEVER)
		return false;
	switch (kind) {
	case BOUNCE_KIND_SUCCESS:
		return notify & MAIL_NOTIFY_SUCCESS;
	case BOUNCE_KIND_DELAY:
		return notify == 0 || notify & MAIL_NOTIFY_DELAY;
	case BOUNCE_KIND_FAILURE:
	case BOUNCE_KIND_VERIFY:
		break;
	}
	return notify == 0 || notify & MAIL_NOTIFY_FAILURE;
}

/* append_text - LF becomes CRLF. */
static void append_text(struct buffer *out, const char *text)
{
	for (const char *p = text; *p != '\0'; p++)
		if (*p == '\n')
			buffer_append(out, SL("\r\n"));
		else
			buffer_append_byte(out, *p);
}

/* append_wrapped - words of one paragraph, TEXT_COLUMNS wide, later lines indented. */
static void append_wrapped(struct buffer *out, struct slice text)
{
	struct slice word;
	size_t column = 0;

	while (slice_next(&text, " \t\r\n", &word)) {
		if (column > 0 && column + 1 + word.n > TEXT_COLUMNS) {
			buffer_append(out, SL("\r\n" TEXT_INDENT));
			column = sizeof(TEXT_INDENT) - 1;
		} else if (column > 0) {
			buffer_append_byte(out, ' ');
			column++;
		}
		buffer_append(out, word);
		column += word.n;
	}
	buffer_append(out, SL("\r\n"));
}

/* reason - of a success also by what it was delivered. */
static struct slice reason(const struct notice *n, struct arena *arena, const struct bounce_recipient *r)
{
	bool traced = n->report->kind == BOUNCE_KIND_SUCCESS || n->report->kind == BOUNCE_KIND_VERIFY;

	if (!traced || r->relay.n == 0 || slice_eq(r->relay, SL("none")))
		return r->text;
	return arena_printf(arena, "delivery via %.*s: %.*s", SL_ARG(r->relay), SL_ARG(r->text));
}

static void append_recipient_text(const struct notice *n, struct buffer *out, struct arena *arena,
				  const struct bounce_recipient *r)
{
	struct slice final = r->final.n > 0 ? r->final : r->address;
	struct slice first = r->orig.n > 0 ? r->orig : r->address;
	struct slice who = address_quote(arena, final);

	who = arena_printf(arena, "<%.*s>", SL_ARG(who));
	if (!slice_eq(first, final))
		who = arena_printf(arena, "%.*s (expanded from <%.*s>)", SL_ARG(who),
				   SL_ARG(address_quote(arena, first)));
	buffer_append(out, SL("\r\n"));
	append_wrapped(out, arena_printf(arena, "%.*s: %.*s", SL_ARG(who),
					 SL_ARG(reason(n, arena, r))));
}

static struct slice subject(const struct notice *n, struct arena *arena)
{
	const struct wording *w = &wordings[n->report->kind];

	if (n->audience == NOTICE_TO_SENDER)
		return slice_str(w->subject);
	return arena_printf(arena, "Postmaster Copy: %s", w->subject);
}

static void append_header(const struct notice *n, struct arena *arena, struct buffer *out)
{
	header_append(out, SL("Date"), n->date);
	header_append(out, SL("From"), SL("Mail Delivery System <MAILER-DAEMON>"));
	header_append(out, SL("Subject"), subject(n, arena));
	header_append(out, SL("To"), n->to);
	/* RFC 3834: nobody's vacation program should answer */
	header_append(out, SL("Auto-Submitted"),
		      n->audience == NOTICE_TO_SENDER ? SL("auto-replied") : SL("auto-generated"));
	report_top_headers(out, n->boundary, n->global);
	/* RFC 2045 6.4: as a part of it has */
	if (n->global || (n->report->flags & QUEUE_8BIT))
		header_append(out, SL("Content-Transfer-Encoding"), SL("8bit"));
	append_text(out, "\nThis is a MIME-encapsulated message.\n");
}

static void append_people_part(const struct notice *n, struct arena *arena, struct buffer *out)
{
	report_part(out, n->boundary, SL("Notification"), SL("text/plain"),
		    n->global ? SL("utf-8") : SL("us-ascii"), n->global);
	append_text(out, "This is the mail system at host ");
	buffer_append(out, n->host);
	append_text(out, ".\n\n");
	append_text(out, wordings[n->report->kind].text);
	for (size_t i = 0; i < n->report->recipients_count; i++)
		append_recipient_text(n, out, arena, &n->report->recipients[i]);
}

static enum report_action action_of(const struct notice *n, const struct bounce_recipient *r)
{
	static const enum report_action all[] = {REPORT_FAILED, REPORT_DELAYED, REPORT_DELIVERED,
						 REPORT_RELAYED, REPORT_EXPANDED,
						 REPORT_DELIVERABLE, REPORT_UNDELIVERABLE};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (slice_eq(r->action, slice_str(report_action_name(all[i]))))
			return all[i];
	return wordings[n->report->kind].action;
}

static struct slice absent_if_empty(struct slice s)
{
	return s.n > 0 ? s : SL_NULL;
}

/* split_diagnostic - "smtp; 550 ..." in type and words. */
static bool split_diagnostic(struct slice mta, struct report_recipient *fields)
{
	ssize_t semicolon = slice_find(mta, ';');

	if (semicolon <= 0)
		return false;
	fields->diagnostic_type = slice_sub(mta, 0, (size_t)semicolon);
	fields->diagnostic = slice_trim(slice_from(mta, (size_t)semicolon + 1));
	return true;
}

static void append_recipient_status(const struct notice *n, struct arena *arena,
				    const struct bounce_recipient *r, struct buffer *out)
{
	struct report_recipient fields = {
	    .recipient = address_quote(arena, r->final.n > 0 ? r->final : r->address),
	    .orcpt = absent_if_empty(r->orcpt),
	    .orig_rcpt = address_quote(arena, r->orig.n > 0 ? r->orig : r->address),
	    .action = action_of(n, r),
	    .status = r->dsn,
	    .remote_mta = absent_if_empty(r->remote),
	    .will_retry_until = n->report->kind == BOUNCE_KIND_DELAY ? n->expires : SL_NULL,
	};

	/* without a server's or a command's own words, ours are the diagnostic (RFC 3464 2.3.6) */
	if (!split_diagnostic(r->mta, &fields)) {
		fields.diagnostic_type = SL("X-Postfix");
		fields.diagnostic = reason(n, arena, r);
	}
	report_recipient_fields(out, &fields, n->global);
}

static void append_status_part(const struct notice *n, struct arena *arena, struct buffer *out)
{
	struct report_message fields = {
	    .reporting_mta = n->host,
	    .envid = absent_if_empty(n->report->envid),
	    .mail_name = n->mail_name,
	    .queue_id = n->report->queue_id,
	    .sender = address_quote(arena, n->report->sender),
	    .arrival_date = n->arrival,
	    .global = n->global,
	};

	(void)arena;
	report_part(out, n->boundary, SL("Delivery report"),
		    n->global ? SL("message/global-delivery-status") : SL("message/delivery-status"),
		    SL_NULL, n->global);
	report_message_fields(out, &fields);
	for (size_t i = 0; i < n->report->recipients_count; i++)
		append_recipient_status(n, arena, &n->report->recipients[i], out);
}

/* returned_type - of the returned message: whole or headers, RFC 6522, RFC 6533 5. */
static struct slice returned_type(const struct notice *n)
{
	if (n->headers_only)
		return n->global ? SL("message/global-headers") : SL("text/rfc822-headers");
	return n->global ? SL("message/global") : SL("message/rfc822");
}

bool notice_begin(struct notice *n, struct arena *arena, struct buffer *out)
{
	const char *part = wordings[n->report->kind].part;
	bool eight_bit = n->report->flags & QUEUE_8BIT;

	n->boundary = report_boundary(arena, n->report->queue_id, n->report->arrival / 1000000, n->host);
	append_header(n, arena, out);
	append_people_part(n, arena, out);
	append_status_part(n, arena, out);
	report_part(out, n->boundary,
		    n->headers_only ? arena_printf(arena, "%s Headers", part) : slice_str(part),
		    returned_type(n), SL_NULL, n->global || eight_bit);
	return !buffer_overflowed(out);
}

void notice_end(const struct notice *n, struct buffer *out)
{
	report_close(out, n->boundary);
}
