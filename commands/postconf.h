/* SPDX-License-Identifier: ISC */
/* postconf - what its parts share. */
#ifndef COMMANDS_POSTCONF_H
#define COMMANDS_POSTCONF_H

#include "base/buffer.h"
#include "config/master_cf.h"
#include "config/parameter.h"
#include "config/values.h"

/* What one run works on. Nothing in it is checked for sense: postconf shows what is there. */
struct postconf {
	struct arena *arena;
	const char *dir;
	bool dir_given; /* by -c or MAIL_CONFIG */
	struct main_cf main_cf;
	struct master_cf master_cf;
	struct config_values values;
	struct config_problems problems;

	bool defaults;	   /* -d */
	bool only_given;   /* -n */
	bool expand;	   /* -x */
	bool values_only;  /* -h */
	bool names_only;   /* -H */
	bool fold;	   /* -f */
	struct buffer out; /* standard output */
};

/* postconf_warn, postconf_fatal - "postconf: warning: TEXT" on standard error; fatal ends with 1.
 */
void postconf_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void postconf_fatal(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* postconf_show.c: main.cf */
void postconf_show_all(struct postconf *pc);
void postconf_show_names(struct postconf *pc, char **names, int count);

/* postconf_usage.c: names in main.cf and master.cf that nothing uses, or that nothing defines */
struct map *postconf_used_names(struct postconf *pc, bool warn);
void postconf_warn_unused(struct postconf *pc, const struct map *used);

/* postconf_edit.c: -e, -X, -# */
enum edit_action { EDIT_SET, EDIT_DELETE, EDIT_COMMENT };
void postconf_edit(struct postconf *pc, enum edit_action action, char **args, int count);

/* postconf_master.c: -M */
void postconf_show_master(struct postconf *pc, char **patterns, int count);

#endif
