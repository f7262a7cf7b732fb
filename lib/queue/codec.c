/* SPDX-License-Identifier: ISC */
#include "queue/codec.h"

/*
 * Fields: one byte of type, the length in 7-bit groups (low first, top bit: more), the bytes; numbers
 * are 8 bytes, low first. Zero numbers and absent texts are not written. A number once given to a
 * field is never used for another.
 */
#define ENVELOPE_NUMBERS(X)     \
	X(2, int64_t, arrival)  \
	X(3, uint32_t, flags)   \
	X(4, enum queue_ret, ret) \
	X(5, uint64_t, data_size) \
	X(6, uint32_t, hop_count)

#define ENVELOPE_TEXTS(X)           \
	X(20, sender)               \
	X(21, envid)                \
	X(22, message_id)           \
	X(23, client_name)          \
	X(24, client_address)       \
	X(25, client_port)          \
	X(26, reverse_client_name)  \
	X(27, helo)                 \
	X(28, protocol)             \
	X(29, server_address)       \
	X(30, server_port)          \
	X(31, sasl_method)          \
	X(32, sasl_username)        \
	X(33, sasl_sender)          \
	X(34, log_ident)            \
	X(35, rewrite_context)      \
	X(36, content_filter)       \
	X(37, redirect)             \
	X(38, origin)               \
	X(39, login_sender)         \
	X(40, full_name)

#define RECIPIENT_TEXTS(X)  \
	X(101, original)    \
	X(102, orcpt)       \
	X(103, warning)

#define MARK_NUMBERS(X)                       \
	X(2, uint32_t, recipient)             \
	X(3, enum queue_outcome, outcome)     \
	X(4, int64_t, time)                   \
	X(5, int64_t, warned)                 \
	X(6, int64_t, next_time)              \
	X(7, uint32_t, add_flags)             \
	X(9, uint32_t, tries)

#define MARK_TEXTS(X) \
	X(20, dsn)    \
	X(21, text)   \
	X(22, relay)  \
	X(23, mta)    \
	X(24, remote) \
	X(25, final)

enum { FIELD_ID = 1, FIELD_RECIPIENT = 100, FIELD_NOTIFY = 104, FIELD_EXPANDED = 105 };
enum { FIELD_KIND = 1, FIELD_OFFSET = 8 };

static bool put_text(struct buffer *to, unsigned type, struct slice text)
{
	char head[6];
	size_t n = 0, length = text.n;

	head[n++] = (char)type;
	while (length > 127 && n < sizeof(head)) {
		head[n++] = (char)(0x80 | (length & 127));
		length >>= 7;
	}
	if (n == sizeof(head))
		return false;
	head[n++] = (char)length;
	return buffer_append(to, slice(head, n)) && buffer_append(to, text);
}

static bool put_number(struct buffer *to, unsigned type, uint64_t number)
{
	char bytes[8];

	for (unsigned i = 0; i < 8; i++)
		bytes[i] = (char)(uint8_t)(number >> (8 * i));
	return put_text(to, type, slice(bytes, sizeof(bytes)));
}

/* next_field - 1: one more, 0: end, -1: these bytes are no fields. */
static int next_field(struct slice *rest, unsigned *type, struct slice *value)
{
	size_t at = 1, length = 0;
	unsigned shift = 0;
	uint8_t byte;

	if (rest->n == 0)
		return 0;
	*type = (uint8_t)rest->p[0];
	do {
		if (at >= rest->n || shift > 28)
			return -1;
		byte = (uint8_t)rest->p[at++];
		length |= (size_t)(byte & 127) << shift;
		shift += 7;
	} while ((byte & 0x80) != 0);
	if (length > rest->n - at)
		return -1;
	*value = slice_sub(*rest, at, at + length);
	*rest = slice_from(*rest, at + length);
	return 1;
}

/* number_of - any field read as a number; a wrong length gives 0. */
static uint64_t number_of(struct slice value)
{
	uint64_t number = 0;

	for (size_t i = 0; value.n == 8 && i < 8; i++)
		number |= (uint64_t)(uint8_t)value.p[i] << (8 * i);
	return number;
}

static bool encode_recipient(const struct queue_recipient *r, struct buffer *to)
{
	put_text(to, FIELD_RECIPIENT, r->address);
#define PUT(type, name)              \
	if (!slice_is_null(r->name)) \
		put_text(to, type, r->name);
	RECIPIENT_TEXTS(PUT)
#undef PUT
	if (r->notify != 0)
		put_number(to, FIELD_NOTIFY, r->notify);
	if (r->expanded)
		put_number(to, FIELD_EXPANDED, 1);
	return !buffer_overflowed(to);
}

bool envelope_encode(const struct queue_envelope *env, struct buffer *to)
{
	put_text(to, FIELD_ID, queue_id_slice(&env->id));
#define PUT(type, ctype, name) \
	if (env->name != 0)    \
		put_number(to, type, (uint64_t)env->name);
	ENVELOPE_NUMBERS(PUT)
#undef PUT
#define PUT(type, name)                \
	if (!slice_is_null(env->name)) \
		put_text(to, type, env->name);
	ENVELOPE_TEXTS(PUT)
#undef PUT
	for (size_t i = 0; i < env->recipient_count; i++)
		if (!encode_recipient(&env->recipients[i], to))
			return false;
	return !buffer_overflowed(to);
}

#define STATUS_ROOM 256 /* for the texts of one recipient's status, which come later */

/* measure - recipients, the room for all texts; and whether the bytes are fields at all. */
static bool measure(struct slice bytes, size_t *count, size_t *room)
{
	struct slice value;
	unsigned type;
	int more;

	*count = *room = 0;
	while ((more = next_field(&bytes, &type, &value)) > 0) {
		*count += type == FIELD_RECIPIENT;
		*room += arena_room(value.n + 1);
	}
	return more == 0;
}

static void decode_envelope_field(struct queue_envelope *env, struct arena *arena, unsigned type,
				  struct slice value)
{
	switch (type) {
#define GET(number, ctype, name)                      \
	case number:                                  \
		env->name = (ctype)number_of(value);  \
		break;
		ENVELOPE_NUMBERS(GET)
#undef GET
#define GET(number, name)                          \
	case number:                               \
		env->name = arena_dup(arena, value); \
		break;
		ENVELOPE_TEXTS(GET)
#undef GET
	default: /* of a later version */
		break;
	}
}

static void decode_recipient_field(struct queue_recipient *r, struct arena *arena, unsigned type,
				   struct slice value)
{
	switch (type) {
	case FIELD_RECIPIENT:
		r->address = arena_dup(arena, value);
		break;
	case FIELD_NOTIFY:
		r->notify = (uint32_t)number_of(value);
		break;
	case FIELD_EXPANDED: /* RFC 3461 5.2.7.1; a mark says when the report is out */
		r->expanded = true;
		r->outcome = QUEUE_EXPANDED;
		r->dsn = SL("2.0.0");
		r->text = SL("alias expanded");
		break;
#define GET(number, name)                          \
	case number:                               \
		r->name = arena_dup(arena, value); \
		break;
		RECIPIENT_TEXTS(GET)
#undef GET
	default:
		break;
	}
}

bool envelope_decode(struct slice bytes, struct arena *arena, struct queue_envelope **out)
{
	struct queue_envelope *env;
	struct slice value;
	unsigned type;
	size_t count, room;
	bool has_id = false;

	if (!measure(bytes, &count, &room))
		return false;
	arena_reserve(arena, arena_room(sizeof(*env)) + arena_room(count * sizeof(*env->recipients)) + room +
				 STATUS_ROOM);
	env = ARENA_NEW(arena, struct queue_envelope);
	env->recipients = ARENA_ARRAY(arena, count, struct queue_recipient);
	while (next_field(&bytes, &type, &value) > 0) {
		env->recipient_count += type == FIELD_RECIPIENT;
		if (type == FIELD_ID)
			has_id = queue_id_parse(value, &env->id, NULL, NULL);
		else if (type < FIELD_RECIPIENT)
			decode_envelope_field(env, arena, type, value);
		else if (env->recipient_count > 0)
			decode_recipient_field(&env->recipients[env->recipient_count - 1], arena,
					       type, value);
	}
	*out = env;
	return has_id;
}

bool envelope_id(struct slice bytes, struct queue_id *id, int64_t *arrival)
{
	struct slice value;
	unsigned type;
	bool has_id = false;

	*arrival = 0;
	while (next_field(&bytes, &type, &value) > 0 && type < FIELD_RECIPIENT) {
		if (type == FIELD_ID)
			has_id = queue_id_parse(value, id, NULL, NULL);
		else if (type == 2)
			*arrival = (int64_t)number_of(value);
	}
	return has_id;
}

bool mark_encode(const struct stored_mark *m, struct buffer *to)
{
	put_number(to, FIELD_KIND, m->kind);
	put_number(to, FIELD_OFFSET, m->offset);
#define PUT(type, ctype, name)   \
	if (m->mark.name != 0)   \
		put_number(to, type, (uint64_t)m->mark.name);
	MARK_NUMBERS(PUT)
#undef PUT
#define PUT(type, name)                    \
	if (!slice_is_null(m->mark.name))  \
		put_text(to, type, m->mark.name);
	MARK_TEXTS(PUT)
#undef PUT
	return !buffer_overflowed(to);
}

bool mark_decode(struct slice bytes, struct stored_mark *m)
{
	struct slice value;
	unsigned type;
	int more;

	memset(m, 0, sizeof(*m));
	while ((more = next_field(&bytes, &type, &value)) > 0) {
		switch (type) {
		case FIELD_KIND:
			m->kind = (enum mark_kind)number_of(value);
			break;
		case FIELD_OFFSET:
			m->offset = number_of(value);
			break;
#define GET(number, ctype, name)                         \
	case number:                                     \
		m->mark.name = (ctype)number_of(value);  \
		break;
			MARK_NUMBERS(GET)
#undef GET
#define GET(number, name)             \
	case number:                  \
		m->mark.name = value; \
		break;
			MARK_TEXTS(GET)
#undef GET
		default:
			break;
		}
	}
	return more == 0 && m->kind >= MARK_STATUS && m->kind <= MARK_VOID &&
	       (unsigned)m->mark.outcome <= QUEUE_REPORTED;
}

/* keep - a copy; what is absent stays absent. */
static struct slice keep(struct arena *arena, struct slice s)
{
	return slice_is_null(s) ? s : arena_dup(arena, s);
}

static void apply_to_whole(const struct queue_mark *mark, struct queue_envelope *env)
{
	if (mark->warned != 0)
		env->warned = mark->warned;
	if (mark->next_time != 0) {
		env->next_time = mark->next_time;
		env->last_try = mark->time;
		env->tries = mark->tries != 0 ? mark->tries : env->tries + 1;
	}
	env->flags |= mark->add_flags;
}

void mark_apply(const struct queue_mark *mark, struct arena *arena, struct queue_envelope *env)
{
	struct queue_recipient *r;

	if (mark->recipient == QUEUE_WHOLE) {
		apply_to_whole(mark, env);
		return;
	}
	if (mark->recipient >= env->recipient_count)
		return;
	r = &env->recipients[mark->recipient];
	if (r->outcome >= QUEUE_SENT && mark->outcome < QUEUE_SENT)
		return;
	r->outcome = mark->outcome;
	r->status_time = mark->time;
	r->dsn = keep(arena, mark->dsn);
	r->text = keep(arena, mark->text);
	r->relay = keep(arena, mark->relay);
	r->mta = keep(arena, mark->mta);
	r->remote = keep(arena, mark->remote);
	r->final = keep(arena, mark->final);
}

bool mark_of_recipient(const struct queue_envelope *env, size_t i, struct queue_mark *mark)
{
	const struct queue_recipient *r = &env->recipients[i];

	*mark = (struct queue_mark){
		.recipient = (uint32_t)i,
		.outcome = r->outcome,
		.time = r->status_time,
		.dsn = r->dsn,
		.text = r->text,
		.relay = r->relay,
		.mta = r->mta,
		.remote = r->remote,
		.final = r->final,
	};
	return r->outcome != QUEUE_PENDING;
}

bool mark_of_whole(const struct queue_envelope *env, struct queue_mark *mark)
{
	*mark = (struct queue_mark){
		.recipient = QUEUE_WHOLE,
		.time = env->last_try,
		.warned = env->warned,
		.next_time = env->next_time,
		.add_flags = env->flags & QUEUE_EXPIRED,
		.tries = env->tries,
	};
	return mark->warned != 0 || mark->next_time != 0 || mark->add_flags != 0;
}
