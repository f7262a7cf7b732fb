/* SPDX-License-Identifier: ISC */
/*
 * answer - the values of one lookup, each through the result format, joined by commas. Values that
 * are empty, or lack a part that the format asks for, are left out.
 */
#ifndef COMMON_ANSWER_H
#define COMMON_ANSWER_H

#include "base/arena.h"
#include "blocking/common/template.h"
#include "blocking/proxymap/module.h"

/* No answer is longer than this many bytes. */
#define ANSWER_LIMIT ((size_t)1 << 20)

struct answer {
	const struct lookup_text *key;
	struct slice format;
	size_t limit; /* of values; 0: none */
	size_t count; /* values in it */
	bool over;    /* there were more than `limit` */
	struct buffer text;
};

/* answer_begin - `key` must live until answer_end; `format` passed template_check. */
void answer_begin(struct answer *answer, const struct lookup_text *key, struct slice format,
		  size_t limit);
/* answer_add - false: this value is one too many, and more need not be asked for. */
bool answer_add(struct answer *answer, struct slice value);
/*
 * answer_end - what a module returns: MODULE_FOUND and the text, MODULE_MISSING when nothing is in
 * it, MODULE_TEMP and why. Its memory is given back.
 */
enum module_result answer_end(struct answer *answer, struct arena *arena, struct slice *value);

#endif
