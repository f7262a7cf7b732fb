/* SPDX-License-Identifier: ISC */
/*
 * config/usage - which names of main.cf and of master.cf's -o are used, by what, and whether what
 * is set has an effect. A declared parameter is used; so is a user-defined one that a used value
 * refers to with `$`, a restriction class, a parameter of a table whose name is in main.cf
 * (config/database.h), and a template's name for a transport. What an -o of master.cf defines
 * counts in that service alone.
 */
#ifndef CONFIG_USAGE_H
#define CONFIG_USAGE_H

#include "config/master_cf.h"
#include "config/values.h"

struct usage {
	struct arena *arena;
	const struct config_values *values;
	const struct master_cf *master;
	struct slice main_file; /* what messages call main.cf */
	struct map *used;	/* names used, seen from main.cf */
	struct map **local;	/* for each service: names used by its own -o values */
	struct map *warned;	/* undefined names that were told */
	struct config_problems *undefined;
};

/*
 * usage_find - `undefined` gets a warning for each name that is referred to and nowhere defined;
 * NULL: nobody wants to know. `master` may be empty. Everything given must live as long as *out.
 */
void usage_find(const struct config_values *values, struct slice main_file,
		const struct master_cf *master, struct arena *arena,
		struct config_problems *undefined, struct usage *out);
void usage_free(struct usage *usage);

/* usage_has - is this name of main.cf used? Declared ones are. */
bool usage_has(const struct usage *usage, struct slice name);
/* usage_unused - a warning for each name that nothing uses, with the nearest known one. */
void usage_unused(const struct usage *usage, struct config_problems *problems);
/* usage_deprecated - a warning for each that is on its way out in Postfix, with what replaces it.
 */
void usage_deprecated(const struct usage *usage, struct config_problems *problems);
/* usage_without_effect - a warning for each declared one that is set and that nothing here reads.
 */
void usage_without_effect(const struct usage *usage, struct config_problems *problems);

/* usage_restrictions - a warning for each word of a list of restrictions that is none. */
void usage_restrictions(const struct usage *usage, struct config_problems *problems);

/* parameter_declared - declared, or made from a template; NULL when neither. */
const struct parameter *parameter_declared(struct slice name);

#endif
