/* SPDX-License-Identifier: ISC */
/*
 * config/values - the text layer under the settings: which name has which unexpanded value, given
 * or by default. It does not care whether values make sense; postconf works on it directly.
 */
#ifndef CONFIG_VALUES_H
#define CONFIG_VALUES_H

#include "base/map.h"
#include "config/main_cf.h"

/* One name that was given a value: by the file, by -o, or by the program itself. */
struct given_value {
	struct slice name;
	struct slice value; /* unexpanded */
	struct slice file;  /* absent: not from the file */
	unsigned line;
};

struct config_values {
	struct arena *arena;
	struct given_value **declared; /* in the order of `parameters`; NULL: it has its default */
	struct map *map;	   /* other names → struct given_value, in `given` */
	struct given_value *given; /* in order of appearance */
	size_t count;
	struct slice host_name, host_domain, host_networks; /* defaults asked from the machine */
};

/*
 * values_init - everything is copied to the arena. `overrides` are arguments of -o; they win. What
 * is no `name = value` among them is a fatal problem. config_directory becomes `dir`.
 */
void values_init(struct config_values *values, struct arena *arena, const struct main_cf *cf,
		 const char *dir, const struct slice *overrides, size_t count,
		 struct config_problems *problems);
/* values_free - the map; the rest is the arena's. */
void values_free(struct config_values *values);

/* values_given - NULL when the name has its default, or is unknown. */
const struct given_value *values_given(const struct config_values *values, struct slice name);
/* values_default - unexpanded; the absent slice for a name that is neither declared nor a
 * template's. */
struct slice values_default(const struct config_values *values, struct slice name);
/* values_raw - given, or else the default. */
struct slice values_raw(const struct config_values *values, struct slice name);
/* values_expand - NULL and the text with all `$` replaced, in the arena; or what is wrong. */
const char *values_expand(const struct config_values *values, struct slice text,
			  struct arena *arena, struct slice *out);

#endif
