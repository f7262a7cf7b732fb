/* SPDX-License-Identifier: ISC */
/*
 * postmulti - several mail systems on one machine: the parts of postmulti(1). The instances share programs; each has
 * a configuration directory of its own, and the default one, the primary instance, names the others in
 * multi_instance_directories.
 */
#ifndef COMMANDS_POSTMULTI_H
#define COMMANDS_POSTMULTI_H

#include "commands/command.h"
#include "config/values.h"

/* What is needed of an instance, its parameters expanded. */
struct instance {
	const char *dir;   /* its configuration */
	const char *queue;
	const char *data;
	struct slice name; /* may be empty, as may be the group */
	struct slice group;
	bool enabled;
	bool primary;
	struct config_values values;
};

struct postmulti {
	struct command command;
	struct instance *list; /* the primary one first, then in the order of its list */
	size_t count;
	/* options */
	char mode; /* l p x e */
	const char *action;
	const char *select_name; /* -i */
	const char *select_group; /* -g */
	const char *new_name;	 /* -I */
	const char *new_group;	 /* -G */
	bool all;
	bool reverse;
	char **words; /* what follows the options; NULL at the end */
	size_t word_count;
};

/* instances_load - fatal when one cannot be read. */
void instances_load(struct postmulti *p);
void instances_free(struct postmulti *p);
/* instance_read - one more, of which only `dir` is known. */
void instance_read(struct postmulti *p, const char *dir, struct instance *out);
/* instance_parameter - any parameter, expanded. */
struct slice instance_parameter(const struct postmulti *p, const struct instance *i, const char *name);
/* instance_is_selected - by -i and -g. */
bool instance_is_selected(const struct postmulti *p, const struct instance *i);

/*
 * instance_run - one of the suite's commands (in command_directory, found there when it has no slash) or, with
 * `search`, any program; with MAIL_CONFIG and the instance's places in its environment. Its exit status.
 */
int instance_run(const struct postmulti *p, const struct instance *i, char *const argv[], bool search);

/* postmulti_iterate - -l, -p, -x: the exit status. */
int postmulti_iterate(struct postmulti *p);
/* postmulti_edit - -e: the exit status; fatal when it may not be. */
int postmulti_edit(struct postmulti *p);

#endif
