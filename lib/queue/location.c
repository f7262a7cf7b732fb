/* SPDX-License-Identifier: ISC */
#include "queue/queue.h"

#include <inttypes.h>
#include <stdio.h>

static const char *const place_names[] = {
	[QUEUE_NOWHERE] = "nowhere",   [QUEUE_IN_JOURNAL] = "journal", [QUEUE_IN_LARGE] = "large",
	[QUEUE_IN_DEFERRED] = "deferred", [QUEUE_IN_HOLD] = "hold",       [QUEUE_IN_MAILDROP] = "maildrop",
	[QUEUE_IN_CORRUPT] = "corrupt",
};

#define PLACES (sizeof(place_names) / sizeof(place_names[0]))

const char *queue_place_name(enum queue_place place)
{
	return (size_t)place < PLACES ? place_names[place] : place_names[QUEUE_NOWHERE];
}

const char *queue_reason_text(enum queue_reason reason)
{
	switch (reason) {
	case QUEUE_OK:
		return "no error";
	case QUEUE_NO_SPACE:
		return "no space left in the queue file system";
	case QUEUE_IO:
		return "queue file input/output error";
	case QUEUE_TOO_LARGE:
		return "message too large for the journal";
	case QUEUE_DAMAGED:
		return "damaged queue record";
	case QUEUE_GONE:
		return "no such message in the queue";
	case QUEUE_LOCKED:
		return "the queue has another owner";
	}
	return "unknown queue error";
}

void queue_location_print(const struct queue_location *loc, char text[QUEUE_LOCATION_TEXT])
{
	snprintf(text, QUEUE_LOCATION_TEXT, "%s:%" PRIu64 ":%" PRIu64 ":%s",
		 queue_place_name(loc->place), loc->serial, loc->offset, loc->id.text);
}

/* cut_field - the text up to the next colon; null when there is none. */
static struct slice cut_field(struct slice *rest)
{
	ssize_t colon = slice_find(*rest, ':');
	struct slice field;

	if (colon < 0)
		return SL_NULL;
	field = slice_sub(*rest, 0, (size_t)colon);
	*rest = slice_from(*rest, (size_t)colon + 1);
	return field;
}

bool queue_location_parse(struct slice text, struct queue_location *loc)
{
	struct slice place = cut_field(&text);
	struct slice serial = cut_field(&text);
	struct slice offset = cut_field(&text);

	memset(loc, 0, sizeof(*loc));
	for (unsigned i = QUEUE_IN_JOURNAL; i <= QUEUE_IN_HOLD; i++)
		if (slice_eq(place, slice_str(place_names[i])))
			loc->place = (enum queue_place)i;
	return loc->place != QUEUE_NOWHERE && slice_u64(serial, &loc->serial) &&
	       slice_u64(offset, &loc->offset) && queue_id_parse(text, &loc->id, NULL, NULL);
}
