/* SPDX-License-Identifier: ISC */
/*
 * adopt - take over a Postfix configuration: `postrider adopt [-fn] DIR`. What lies in DIR is read, never written. It is
 * planned in memory first; main.cf and master.cf are put into the new place last, each by a rename.
 */
#ifndef COMMANDS_ADOPT_H
#define COMMANDS_ADOPT_H

#include "base/map.h"
#include "config/master_cf.h"
#include "config/problem.h"

/* A file below DIR that will lie below the target. */
struct adopt_file {
	struct slice path; /* relative */
	bool unchanged;	   /* it is there already, the same */
};

/* A table that is built from a text. */
struct adopt_table {
	struct slice spec;  /* type:path, in the new place */
	struct slice old;   /* the path that the old configuration names */
	bool aliases;	    /* by postalias */
	struct slice file; /* where it is named */
	unsigned line;
	struct slice parameter;
};

struct adopt {
	struct arena *arena;
	const char *from;
	const char *to;
	bool force;   /* overwrite what is there */
	bool pretend; /* write nothing */
	struct slice main_text, master_text; /* as they will be written */
	struct config_problems attention;    /* what somebody has to look at */
	struct config_problems left_out;     /* parameters that describe the old installation */
	struct adopt_file *files;
	size_t file_count, file_size;
	struct adopt_table *tables;
	size_t table_count, table_size;
	struct map *table_names;
	size_t parameters, services, services_here, built;
};

/* adopt_translate - every path below `from` named in the text becomes one below `to`. */
struct slice adopt_translate(struct adopt *a, struct slice text);
/*
 * adopt_main_cf - the text with what describes Postfix's own installation made a comment. Lines keep their numbers.
 */
struct slice adopt_main_cf(struct adopt *a, struct slice text, struct slice path);
/* adopt_plan_tables - the tables that values name: those to be built, and those that cannot be had. */
void adopt_plan_tables(struct adopt *a, const struct config_values *values, struct slice main_path,
		       const struct master_cf *master);
/* adopt_build_tables - by postmap and postalias; what fails needs attention. */
void adopt_build_tables(struct adopt *a, const char *command_directory);
/* adopt_plan_files - what lies below `from` and is no part of Postfix's installation. False: told why. */
bool adopt_plan_files(struct adopt *a);
/* adopt_copy_files, adopt_write - RES_OK, or the problem has been told. */
enum result adopt_copy_files(struct adopt *a);
enum result adopt_write(struct adopt *a, const char *name, struct slice text);

/* adopt_main - the verb: `words` are its own options and DIR. The exit status. */
int adopt_main(int count, char **words, const char *target);

#endif
