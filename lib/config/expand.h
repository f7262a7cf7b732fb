/* SPDX-License-Identifier: ISC */
/*
 * config/expand - the `$` language of main.cf values (postconf(5)). Pure.
 *
 *   $name ${name} $(name)          the value, itself expanded
 *   ${name?text} ${name?{text}}    text when the value is not empty
 *   ${name:text} ${name:{text}}    text when it is empty
 *   ${name?{text}:{text}}          the one or the other
 *   ${{a} op {b}?{text}:{text}}    op: == != < <= >= >, as numbers when both are all digits, and
 * the same with "level" behind for compatibility levels (3.6, 2)
 *   $$                             one dollar sign
 */
#ifndef CONFIG_EXPAND_H
#define CONFIG_EXPAND_H

#include "base/arena.h"

/* How deep values may refer to each other, how often, and how long a result may get. */
#define EXPAND_DEPTH 100
#define EXPAND_REFERENCES 100000
#define EXPAND_LIMIT ((size_t)1 << 20)

/* expand_lookup - the unexpanded value of a name; the absent slice when there is none. */
typedef struct slice expand_lookup(void *context, struct slice name);

struct expansion {
	expand_lookup *lookup;
	void *context;
	bool once; /* values that `lookup` gives are taken as they are, not expanded again */
};

/*
 * expand_text - NULL and the result in the arena, or what is wrong, as text in the arena. An
 * unknown name gives nothing.
 */
const char *expand_text(const struct expansion *how, struct slice text, struct arena *arena,
			struct slice *out);

#endif
