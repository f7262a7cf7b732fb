/* SPDX-License-Identifier: ISC */
/* render - an event as a line in Postfix's form. */
#include "log/log.h"

static const char *const level_prefix[] = {
    [LOG_LEVEL_INFO] = "",	   [LOG_LEVEL_WARNING] = "warning: ", [LOG_LEVEL_ERROR] = "error: ",
    [LOG_LEVEL_FATAL] = "fatal: ", [LOG_LEVEL_PANIC] = "panic: ",     [LOG_LEVEL_DEBUG] = ""};

/* put_clean - no control character reaches the log: nobody's text may look like another line. */
static void put_clean(struct buffer *out, struct slice s)
{
	size_t clean = 0;

	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c >= ' ' && c != 127)
			continue;
		buffer_append(out, slice_sub(s, clean, i));
		buffer_append_byte(out, '?');
		clean = i + 1;
	}
	/* in pieces, so that a line that is too long is cut where it ends */
	for (; s.n - clean > 64; clean += 64)
		buffer_append(out, slice_sub(s, clean, clean + 64));
	buffer_append(out, slice_from(s, clean));
}

static bool is_atom(char c)
{
	return ascii_isalnum(c) || (unsigned char)c > 127 ||
	       (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

/* is_dot_atom - RFC 5321 4.1.2 Dot-string: may stand without quotes. */
static bool is_dot_atom(struct slice s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (is_atom(s.p[i]))
			continue;
		if (s.p[i] != '.' || i == 0 || i + 1 == s.n || s.p[i - 1] == '.')
			return false;
	}
	return s.n > 0;
}

static void put_address(struct buffer *out, struct slice address)
{
	ssize_t at = slice_rfind(address, '@');
	struct slice local = at < 0 ? address : slice_sub(address, 0, (size_t)at);

	/* what stands in quotes has been quoted by the caller */
	if (address.n == 0 || is_dot_atom(local) || (local.n > 1 && local.p[0] == '"')) {
		put_clean(out, address);
		return;
	}
	buffer_append_byte(out, '"');
	for (size_t i = 0; i < local.n; i++) {
		if (local.p[i] == '"' || local.p[i] == '\\')
			buffer_append_byte(out, '\\');
		put_clean(out, slice(local.p + i, 1));
	}
	buffer_append_byte(out, '"');
	put_clean(out, slice_from(address, local.n));
}

void log_delay(int64_t microseconds, int resolution, struct buffer *out)
{
	int64_t unit = 10 * INT64_C(1000000); /* two digits: from here on no decimals */
	int decimals = 0;
	int64_t scale = 1;
	int64_t v = microseconds < 0 ? 0 : microseconds;
	int64_t step;

	if (resolution > 6)
		resolution = 6;
	while (decimals < resolution && v < unit && unit > 1) {
		decimals++;
		unit /= 10;
		scale *= 10;
	}
	step = 1000000 / scale;
	v = (v + step / 2) / step;
	while (decimals > 0 && v % 10 == 0) {
		v /= 10;
		scale /= 10;
		decimals--;
	}
	buffer_append_number(out, (uint64_t)(v / scale), 1);
	if (decimals == 0)
		return;
	buffer_append_byte(out, '.');
	buffer_append_number(out, (uint64_t)(v % scale), (unsigned)decimals);
}

static void put_count(struct buffer *out, const char *name, uint64_t good, uint64_t all)
{
	buffer_append_byte(out, ' ');
	buffer_append_str(out, name);
	buffer_append_byte(out, '=');
	buffer_append_number(out, good, 1);
	if (good == all && all > 0)
		return;
	buffer_append_byte(out, '/');
	buffer_append_number(out, all, 1);
}

static void put_counts(struct buffer *out, const struct log_count *counts, size_t n)
{
	uint64_t good = 0;
	uint64_t all = 0;

	for (size_t i = 0; i < n; i++) {
		if (counts[i].all == 0)
			continue;
		put_count(out, counts[i].name, counts[i].good, counts[i].all);
		good += counts[i].good;
		all += counts[i].all;
	}
	put_count(out, "commands", good, all);
}

static struct slice text_of(const struct log_field *f, const char *e)
{
	struct slice s;

	memcpy(&s, e + f->offset, sizeof(s));
	return s;
}

static int64_t number_of(const struct log_field *f, const char *e)
{
	int64_t v;

	memcpy(&v, e + f->offset, sizeof(v));
	return v;
}

static bool is_there(const struct log_field *f, const char *e)
{
	size_t n;

	switch (f->type) {
	case LOG_U64:
	case LOG_I64:
	case LOG_DELAY:
		return number_of(f, e) != 0;
	case LOG_COUNTS:
		memcpy(&n, e + f->count_offset, sizeof(n));
		return n != 0;
	default:
		return !slice_is_null(text_of(f, e));
	}
}

static void put_field(struct buffer *out, const struct log_field *f, const char *e, int resolution)
{
	const struct log_count *counts;
	size_t n;

	switch (f->type) {
	case LOG_ID:
		put_clean(out, is_there(f, e) ? text_of(f, e) : SL("NOQUEUE"));
		break;
	case LOG_STR:
	case LOG_TEXT:
		put_clean(out, text_of(f, e));
		break;
	case LOG_ADDR:
		put_address(out, text_of(f, e));
		break;
	case LOG_U64:
		buffer_append_number(out, (uint64_t)number_of(f, e), 1);
		break;
	case LOG_I64:
		buffer_printf(out, "%lld", (long long)number_of(f, e));
		break;
	case LOG_DELAY:
		log_delay(number_of(f, e), resolution, out);
		break;
	case LOG_COUNTS:
		memcpy(&counts, e + f->offset, sizeof(counts));
		memcpy(&n, e + f->count_offset, sizeof(n));
		put_counts(out, counts, n);
		break;
	}
}

void log_render(const struct log_event *event, const void *e, int resolution, struct buffer *out)
{
	buffer_append_str(out, level_prefix[event->level]);
	for (size_t i = 0; i < event->piece_count; i++) {
		const struct log_piece *p = &event->pieces[i];

		if (p->when >= 0 && !is_there(&event->fields[p->when], e))
			continue;
		buffer_append_str(out, p->text);
		if (p->field >= 0)
			put_field(out, &event->fields[p->field], e, resolution);
	}
}

bool log_stamp_take(struct slice *line, int64_t *at)
{
	uint64_t v = 0;

	if (line->n < LOG_STAMP_SIZE || line->p[0] != LOG_STAMP)
		return false;
	for (size_t i = 1; i < LOG_STAMP_SIZE; i++) {
		char c = line->p[i];

		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
			return false;
		v = v << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
	}
	*at = v > INT64_MAX ? INT64_MAX : (int64_t)v;
	*line = slice_from(*line, LOG_STAMP_SIZE);
	return true;
}
