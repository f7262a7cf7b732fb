/* SPDX-License-Identifier: ISC */
#include "showq/listing.h"
#include "queue/maildrop.h"

#include <inttypes.h>

#define PROTOCOL "mail_queue_list_protocol"

static void put(struct buffer *out, const char *name, struct slice value)
{
	buffer_append_str(out, name);
	buffer_append_byte(out, '\0');
	/* A NUL would end the value early and shift all that follows. */
	for (size_t i = 0; i < value.n; i++)
		buffer_append_byte(out, value.p[i] ? value.p[i] : '?');
	buffer_append_byte(out, '\0');
}

static void put_number(struct buffer *out, const char *name, int64_t value)
{
	buffer_append_str(out, name);
	buffer_append_byte(out, '\0');
	buffer_printf(out, "%" PRId64, value);
	buffer_append_byte(out, '\0');
}

void listing_begin(struct buffer *out)
{
	put(out, "protocol", SL(PROTOCOL));
	buffer_append_byte(out, '\0');
}

void listing_encode(const struct listing_entry *e, struct buffer *out)
{
	put(out, "queue_name", e->queue_name);
	put(out, "queue_id", e->queue_id);
	put_number(out, "time", e->time);
	put_number(out, "size", (int64_t)e->size);
	put_number(out, "forced_expire", e->forced_expire);
	if (e->next_try != 0)
		put_number(out, "next_try", e->next_try);
	put(out, "sender", e->sender);
	for (size_t i = 0; i < e->recipient_count; i++) {
		put(out, "recipient", e->recipients[i].address);
		put(out, "reason", e->recipients[i].reason);
	}
	buffer_append_byte(out, '\0');
}

void listing_end(struct buffer *out)
{
	buffer_append_byte(out, '\0');
}

/* ---- reading */

/* word - up to the next NUL; false when that has not come yet. */
static bool word(struct slice *in, struct slice *out)
{
	ssize_t nul = slice_find(*in, '\0');

	if (nul < 0)
		return false;
	*out = slice_sub(*in, 0, (size_t)nul);
	*in = slice_from(*in, (size_t)nul + 1);
	return true;
}

/* pair - 1: the attribute `name`; 2: an empty name; 0: not all there; -1: another. */
static int pair(struct slice *in, const char *name, struct slice *value)
{
	struct slice found;

	if (!word(in, &found))
		return 0;
	if (found.n == 0)
		return 2;
	if (!slice_eq(found, slice_str(name)))
		return -1;
	return word(in, value) ? 1 : 0;
}

static int number(struct slice *in, const char *name, int64_t *out)
{
	struct slice text;
	int rc = pair(in, name, &text);

	return rc == 1 && !slice_i64(text, out) ? -1 : rc;
}

/* number_if_any - 1, and *out is 0, when another attribute comes next. */
static int number_if_any(struct slice *in, const char *name, int64_t *out)
{
	struct slice word = slice(name, strlen(name) + 1); /* with its NUL */

	*out = 0;
	if (slice_starts(*in, word))
		return number(in, name, out);
	return slice_starts(word, *in) ? 0 : 1;
}

static int decode_begin(struct slice *in)
{
	struct slice value, end;
	int rc = pair(in, "protocol", &value);

	if (rc == 1 && !slice_eq(value, SL(PROTOCOL)))
		return -1;
	if (rc == 1)
		return !word(in, &end) ? 0 : end.n == 0 ? 1 : -1;
	return rc == 2 ? -1 : rc;
}

static int decode_recipients(struct slice *in, struct arena *arena, struct listing_entry *e)
{
	struct listing_recipient *list = NULL;
	size_t size = 0;
	int rc;

	e->recipient_count = 0;
	for (;;) {
		struct listing_recipient r;

		rc = pair(in, "recipient", &r.address);
		if (rc == 1)
			rc = pair(in, "reason", &r.reason);
		if (rc != 1)
			break;
		if (e->recipient_count == size) {
			struct listing_recipient *bigger;

			size = size ? size * 2 : 8;
			bigger = ARENA_ARRAY(arena, size, struct listing_recipient);
			if (list)
				memcpy(bigger, list, e->recipient_count * sizeof(*list));
			list = bigger;
		}
		list[e->recipient_count++] = r;
	}
	e->recipients = list;
	return rc == 2 ? 1 : rc;
}

int listing_decode(struct slice *in, bool *first, struct arena *arena, struct listing_entry *e)
{
	struct slice rest = *in;
	int64_t size = 0, expire = 0;
	int rc = 1;

	if (*first)
		rc = decode_begin(&rest);
	if (rc == 1)
		rc = pair(&rest, "queue_name", &e->queue_name);
	if (rc == 2) {
		*in = rest;
		return 2;
	}
	if (rc == 1)
		rc = pair(&rest, "queue_id", &e->queue_id);
	if (rc == 1)
		rc = number(&rest, "time", &e->time);
	if (rc == 1)
		rc = number(&rest, "size", &size);
	if (rc == 1)
		rc = number(&rest, "forced_expire", &expire);
	if (rc == 1)
		rc = number_if_any(&rest, "next_try", &e->next_try);
	if (rc == 1)
		rc = pair(&rest, "sender", &e->sender);
	if (rc == 1)
		rc = decode_recipients(&rest, arena, e);
	if (rc != 1)
		return rc == 2 ? -1 : rc;
	e->size = (uint64_t)size;
	e->forced_expire = expire != 0;
	*first = false;
	*in = rest;
	return 1;
}

/* ---- from the queue */

/* read_maildrop - RES_PERM: postdrop has not finished it, or pickup was faster. */
static enum result read_maildrop(int queue_fd, const struct queue_entry *found, struct arena *arena,
				 struct listing_entry *e)
{
	struct slice path = arena_printf(arena, "maildrop/%.*s", SL_ARG(found->name));
	struct listing_recipient *list;
	struct maildrop_file file;
	struct queue_id id;

	if (!queue_id_parse(found->name, &id, NULL, NULL) ||
	    maildrop_open(queue_fd, path.p, arena, &file) != RES_OK)
		return RES_PERM;
	maildrop_close(&file);
	e->queue_name = SL("maildrop");
	e->queue_id = arena_dup(arena, found->name);
	e->time = file.time / 1000000;
	e->size = file.content_size;
	if (file.envelope.sender.n > 0)
		e->sender = file.envelope.sender;
	list = ARENA_ARRAY(arena, file.recipient_count + 1, struct listing_recipient);
	for (size_t i = 0; i < file.recipient_count; i++)
		list[e->recipient_count++] =
		    (struct listing_recipient){file.recipients[i].address, SL("")};
	e->recipients = list;
	return RES_OK;
}

static struct slice reason_of(const struct queue_recipient *r)
{
	return r->outcome == QUEUE_DEFERRED || r->outcome == QUEUE_FAILED ? r->text : SL("");
}

static void read_envelope(const struct queue_envelope *env, struct arena *arena,
			  struct listing_entry *e)
{
	struct listing_recipient *list =
	    ARENA_ARRAY(arena, env->recipient_count + 1, struct listing_recipient);

	e->queue_id = arena_dup(arena, queue_id_slice(&env->id));
	e->time = env->arrival / 1000000;
	e->size = env->data_size ? env->data_size : env->content_size;
	e->forced_expire = env->flags & QUEUE_EXPIRED;
	if (env->sender.n > 0)
		e->sender = env->sender;
	for (size_t i = 0; i < env->recipient_count; i++) {
		const struct queue_recipient *r = &env->recipients[i];

		if (r->outcome == QUEUE_PENDING || r->outcome == QUEUE_DEFERRED ||
		    r->outcome == QUEUE_FAILED)
			list[e->recipient_count++] =
			    (struct listing_recipient){r->address, reason_of(r)};
	}
	e->recipients = list;
}

enum result listing_read(int queue_fd, const struct queue_entry *found, bool active,
			 struct arena *arena, struct listing_entry *e)
{
	struct queue_message m;
	struct queue_error error;
	enum result rc;

	*e = (struct listing_entry){.sender = SL("MAILER-DAEMON")};
	if (found->location.place == QUEUE_IN_MAILDROP)
		return read_maildrop(queue_fd, found, arena, e);
	rc = queue_read(queue_fd, &found->location, arena, &m, &error);
	if (rc != RES_OK)
		return RES_PERM;
	if (active)
		e->queue_name = SL("active");
	else if (m.location.place == QUEUE_IN_DEFERRED)
		e->queue_name = SL("deferred");
	else if (m.location.place == QUEUE_IN_HOLD)
		e->queue_name = SL("hold");
	else
		e->queue_name = SL("incoming");
	if (!active && found->location.place == QUEUE_IN_DEFERRED)
		e->next_try = found->time / 1000000;
	read_envelope(m.envelope, arena, e);
	queue_message_close(&m);
	return RES_OK;
}
