/* SPDX-License-Identifier: ISC */
/* postqueue - the parts of postqueue(1): what is chosen from a listing, and how it is shown. */
#ifndef COMMANDS_POSTQUEUE_H
#define COMMANDS_POSTQUEUE_H

#include "commands/command.h"
#include "showq/listing.h"

/* ---- which messages */

enum queue_criterion {
	CRITERION_SENDER,    /* glob */
	CRITERION_RECIPIENT, /* glob, of any recipient that is not done */
	CRITERION_DOMAIN,    /* glob, of any such recipient's domain */
	CRITERION_REASON,    /* glob, found anywhere in any such recipient's reason */
	CRITERION_STATUS,    /* name of a queue */
	CRITERION_COUNT
};

struct queue_criterion_value {
	struct queue_criterion_value *next;
	const char *text;
};

/* Values of one criterion are alternatives; all criteria that have values must hold. */
struct queue_filter {
	struct queue_criterion_value *values[CRITERION_COUNT];
	int64_t older; /* microseconds since its arrival, at least; 0: any */
	int64_t newer; /* at most; 0: any */
};

/* queue_filter_add - NULL, or what is wrong with `text` and what is allowed. `text` must live on. */
const char *queue_filter_add(struct queue_filter *filter, enum queue_criterion criterion, const char *text,
			     struct arena *arena);
/* queue_filter_age - "90s", "1h30m", "2d"; a bare number is seconds. Else as queue_filter_add. */
const char *queue_filter_age(const char *text, struct arena *arena, int64_t *age);
bool queue_filter_is_empty(const struct queue_filter *filter);
/* queue_filter_takes - `now`: wall clock, microseconds. The arena is for what it needs meanwhile. */
bool queue_filter_takes(const struct queue_filter *filter, const struct listing_entry *entry, int64_t now,
			struct arena *arena);

/* ---- one message, on standard output */

/* postqueue_put_text - addresses and reasons come from strangers: no control byte reaches the terminal. */
void postqueue_put_text(struct slice s);
/* postqueue_print - as Postfix does; `details`: a line more that tells the next try. */
void postqueue_print(const struct listing_entry *entry, bool details);
void postqueue_print_heading(void);
/* postqueue_print_json - an object on a line. */
void postqueue_print_json(const struct listing_entry *entry);

/* ---- how many, by domain and age */

struct queue_shape;

struct queue_shape *queue_shape_create(void);
void queue_shape_destroy(struct queue_shape **shape);
/* queue_shape_add - its recipients that are not done, by their domain; or itself, by its sender's. */
void queue_shape_add(struct queue_shape *shape, const struct listing_entry *entry, bool by_sender, int64_t now);
/* queue_shape_print - on standard output, the largest first. */
void queue_shape_print(const struct queue_shape *shape);

/* ---- a listing from showq, or from the queue itself when that is down and root asks */

/* postqueue_read - each(context, entry, arena) for every message; fatal when there is no listing. */
typedef void postqueue_each(void *context, const struct listing_entry *entry, struct arena *arena);
void postqueue_read(const struct command *command, int queue_fd, postqueue_each *each, void *context);

#endif
