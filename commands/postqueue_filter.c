/* SPDX-License-Identifier: ISC */
#include "commands/postqueue.h"
#include "config/parameter.h"
#include "os/clock.h"

#include <fnmatch.h>
#include <string.h>

#define PATTERN_MAX 1000
/* What may be a message's queue_name. */
static const char *const queues[] = {"active", "deferred", "hold", "incoming", "maildrop"};

static bool is_queue(const char *text)
{
	for (size_t i = 0; i < sizeof(queues) / sizeof(queues[0]); i++)
		if (strcmp(queues[i], text) == 0)
			return true;
	return false;
}

const char *queue_filter_add(struct queue_filter *filter, enum queue_criterion criterion, const char *text,
			     struct arena *arena)
{
	struct queue_criterion_value *value = ARENA_NEW(arena, struct queue_criterion_value);

	if (strlen(text) > PATTERN_MAX)
		return arena_printf(arena, "pattern of more than %d bytes", PATTERN_MAX).p;
	if (criterion == CRITERION_STATUS && !is_queue(text))
		return arena_printf(arena, "bad status \"%s\": active, deferred, hold, incoming or "
					   "maildrop is allowed", text).p;
	*value = (struct queue_criterion_value){filter->values[criterion], text};
	if (criterion == CRITERION_REASON)
		value->text = arena_printf(arena, "*%s*", text).p;
	filter->values[criterion] = value;
	return NULL;
}

const char *queue_filter_age(const char *text, struct arena *arena, int64_t *age)
{
	static const struct parameter time = {
	    .type = PARAM_TIME, .unit = 's', .min = OS_SECOND, .max = INT64_C(36500) * 86400 * OS_SECOND};

	return parameter_time(&time, slice_str(text), arena, age);
}

bool queue_filter_is_empty(const struct queue_filter *filter)
{
	for (size_t i = 0; i < CRITERION_COUNT; i++)
		if (filter->values[i] != NULL)
			return false;
	return filter->older == 0 && filter->newer == 0;
}

/* matches - any of the globs; a NUL in the text is no end of it. */
static bool matches(const struct queue_criterion_value *value, struct slice text, struct arena *arena)
{
	const char *string = arena_str(arena, text);

	for (; string != NULL && value != NULL; value = value->next)
		if (fnmatch(value->text, string, FNM_CASEFOLD) == 0)
			return true;
	return false;
}

static struct slice recipient_text(const struct listing_recipient *r, enum queue_criterion criterion)
{
	ssize_t at = slice_rfind(r->address, '@');

	if (criterion == CRITERION_REASON)
		return r->reason;
	if (criterion == CRITERION_RECIPIENT)
		return r->address;
	return at < 0 ? SL("") : slice_from(r->address, (size_t)at + 1);
}

static bool any_recipient(const struct queue_filter *filter, enum queue_criterion criterion,
			  const struct listing_entry *entry, struct arena *arena)
{
	for (size_t i = 0; i < entry->recipient_count; i++)
		if (matches(filter->values[criterion],
			    recipient_text(&entry->recipients[i], criterion), arena))
			return true;
	return false;
}

static bool holds(const struct queue_filter *filter, enum queue_criterion criterion,
		  const struct listing_entry *entry, struct arena *arena)
{
	if (filter->values[criterion] == NULL)
		return true;
	if (criterion == CRITERION_SENDER)
		return matches(filter->values[criterion], entry->sender, arena);
	if (criterion == CRITERION_STATUS)
		return matches(filter->values[criterion], entry->queue_name, arena);
	return any_recipient(filter, criterion, entry, arena);
}

bool queue_filter_takes(const struct queue_filter *filter, const struct listing_entry *entry, int64_t now,
			struct arena *arena)
{
	int64_t age = now - entry->time * OS_SECOND;

	if ((filter->older != 0 && age < filter->older) || (filter->newer != 0 && age > filter->newer))
		return false;
	for (size_t i = 0; i < CRITERION_COUNT; i++)
		if (!holds(filter, (enum queue_criterion)i, entry, arena))
			return false;
	return true;
}
