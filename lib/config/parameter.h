/* SPDX-License-Identifier: ISC */
/*
 * config/parameter - the declared parameters (schema/parameters/) as a table, and how their values
 * are read.
 */
#ifndef CONFIG_PARAMETER_H
#define CONFIG_PARAMETER_H

#include "base/arena.h"

enum parameter_type {
	PARAM_BOOL,	    /* yes, no: bool */
	PARAM_INT,	    /* int */
	PARAM_SIZE,	    /* bytes, digits only: uint64_t */
	PARAM_TIME,	    /* 10, 30s, 1h30m; s m h d w: int64_t microseconds */
	PARAM_STRING,	    /* the others: struct slice, expanded */
	PARAM_LIST,	    /* words, separated by white space or commas */
	PARAM_NETWORKS,	    /* words, each an address, net/mask, host, /file or type:name */
	PARAM_TABLES,	    /* list of type:name */
	PARAM_RESTRICTIONS, /* list of restrictions with their arguments */
	PARAM_PATH,
	PARAM_ENUM, /* one of a set of words */
	PARAM_RAW   /* not expanded: `$` is for the program that reads it */
};

/* Where a default comes from. */
enum parameter_origin {
	ORIGIN_TEXT,   /* the declared text */
	ORIGIN_HOST,   /* asked from the machine: hostname, domain, networks */
	ORIGIN_RUNTIME /* set by the program: process_name, process_id */
};

/* Whether setting it changes anything. */
enum parameter_effect {
	EFFECT_NONE,	/* what it is about is not built yet */
	EFFECT_NEEDLESS, /* there is nothing here that it could change; `note` says why */
	EFFECT_ACTS
};

/* A text of the table: no pointer, so that the table needs no relocation; parameter_slice() reads it. */
struct parameter_text {
	uint32_t at;
	uint32_t n;
};

struct parameter {
	struct parameter_text name;
	enum parameter_type type;
	enum parameter_origin origin;
	bool template;	     /* the name is transport_X and stands for NAME_X of every transport */
	enum parameter_effect effect;
	bool commands;	     /* one of the commands reads it, not daemons only */
	char unit;	     /* of a time without one: s m h d w */
	bool fixed;	     /* the default is the same everywhere: nothing in it is expanded */
	struct parameter_text initial; /* default, unexpanded */
	int64_t number;	     /* of a fixed BOOL, INT, SIZE, TIME: its value */
	int64_t min;	     /* of INT, SIZE (plain), TIME (microseconds) */
	int64_t max;
	struct parameter_text values; /* of ENUM: words separated by spaces; "" : any */
	struct parameter_text note;	  /* why it is needless */
	struct parameter_text instead; /* what to do in place of setting it, where it is on its way out */
	size_t offset;	     /* of the member in struct settings */
};

/* In strcmp order of names. */
extern const struct parameter parameters[];
extern const size_t parameter_count;
extern const char *const parameter_texts;

/* parameter_slice - a NUL follows it. */
static inline struct slice parameter_slice(struct parameter_text text)
{
	return slice(parameter_texts + text.at, text.n);
}

/* parameter_find - NULL when no parameter has this name. Templates are found by "transport_X" only.
 */
const struct parameter *parameter_find(struct slice name);
/*
 * parameter_find_template - the template that NAME_X is made from, e.g. for
 * relay_destination_concurrency_limit; *transport becomes "relay". NULL when there is none.
 */
const struct parameter *parameter_find_template(struct slice name, struct slice *transport);
/*
 * parameter_nearest - the declared name that `name` was most likely meant to be; the absent slice when
 * none is near. For messages; takes a millisecond.
 */
struct slice parameter_nearest(struct slice name);

/*
 * Values, as text without white space around it, to what the members hold. NULL, or what is wrong
 * and what is allowed, in the arena ("bad boolean value \"true\": yes or no is allowed").
 */
const char *parameter_bool(struct slice text, struct arena *arena, bool *out);
const char *parameter_int(const struct parameter *p, struct slice text, struct arena *arena,
			  int *out);
const char *parameter_size(const struct parameter *p, struct slice text, struct arena *arena,
			   uint64_t *out);
/* parameter_time - several parts add up ("1m30s"); a bare number has the unit `unit`. */
const char *parameter_time(const struct parameter *p, struct slice text, struct arena *arena,
			   int64_t *out);
/* parameter_store_fixed - the default of a `fixed` parameter into its member; the text is not copied. */
void parameter_store_fixed(const struct parameter *p, void *where);
/* parameter_store - read `text` as the parameter's type and put it into the member at *where. */
const char *parameter_store(const struct parameter *p, struct slice text, struct arena *arena,
			    void *where);

#endif
