/* SPDX-License-Identifier: ISC */
/* postconf - what its parts share. */
#ifndef COMMANDS_POSTCONF_H
#define COMMANDS_POSTCONF_H

#include "base/buffer.h"
#include "config/master_cf.h"
#include "config/parameter.h"
#include "config/usage.h"
#include "config/values.h"

/* What is looked at or changed. */
enum postconf_mode {
	MODE_MAIN,	  /* -p: main.cf */
	MODE_SERVICES,	  /* -M: lines of master.cf */
	MODE_FIELDS,	  /* -F: their columns */
	MODE_PARAMETERS,  /* -P: what their -o set */
	MODE_LOCKS,	  /* -l */
	MODE_MAPS,	  /* -m */
	MODE_SASL_SERVER, /* -a */
	MODE_SASL_CLIENT, /* -A */
	MODE_TLS,	  /* -T */
	MODE_NOTICE,	  /* -b */
	MODE_TEMPLATE	  /* -t */
};

enum edit_action { EDIT_NONE, EDIT_SET, EDIT_DELETE, EDIT_COMMENT };

/* Which parameters -C selects. */
#define CLASS_BUILTIN 1
#define CLASS_SERVICE 2
#define CLASS_USER 4
#define CLASS_ALL (CLASS_BUILTIN | CLASS_SERVICE | CLASS_USER)

/* What one run works on. Nothing in it is checked for sense: postconf shows what is there. */
struct postconf {
	struct arena *arena;
	const char *dir;
	bool dir_given; /* by -c or MAIL_CONFIG */
	struct main_cf main_cf;
	struct master_cf master_cf;
	struct config_values values;
	struct config_problems problems;

	enum postconf_mode mode;
	enum edit_action edit;
	unsigned classes;		    /* -C */
	bool defaults;			    /* -d */
	bool only_given;		    /* -n */
	bool expand;			    /* -x */
	bool values_only;		    /* -h */
	bool names_only;		    /* -H */
	bool fold;			    /* -f */
	bool json;			    /* -j */
	bool quiet;			    /* -q */
	const struct master_service *scope; /* whose parameters -x expands; NULL: main.cf's */
	struct buffer out;		    /* standard output */
};

/* postconf_warn, postconf_fatal - "postconf: warning: TEXT" on standard error; fatal ends with 1.
 */
void postconf_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void postconf_fatal(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* postconf_flush - what is in pc->out goes to standard output. */
void postconf_flush(struct postconf *pc);

/* postconf_usage.c */

/* postconf_warn_all - those that are not fatal; without `lines` no line is named, as in Postfix. */
void postconf_warn_all(const struct config_problems *problems, bool lines);
/*
 * postconf_with_warnings - undefined names before the output of `show`, what is unused after it, as
 * in Postfix; asked for master.cf, only what is wrong there.
 */
void postconf_with_warnings(struct postconf *pc, void (*show)(struct postconf *, char **, int),
			    char **args, int count);

/* postconf_put.c: pieces of output */

/* postconf_put_words - white space squeezed; with -f a word that would pass the last column begins
 * a line. */
void postconf_put_words(struct postconf *pc, size_t column, struct slice text);
/* postconf_put_pair - NAME = VALUE, as -h, -H, -f, -j want it; `key` names it in JSON. */
void postconf_put_pair(struct postconf *pc, struct slice name, struct slice value);
/* postconf_put_json - a JSON string, quotes included; bytes that are no UTF-8 become U+FFFD. */
void postconf_put_json(struct buffer *out, struct slice text);
/* postconf_expanded - with -x the text with its references replaced, or else as it is. */
struct slice postconf_expanded(struct postconf *pc, struct slice place, struct slice text);

/* postconf_show.c: main.cf */
void postconf_show_all(struct postconf *pc);
void postconf_show_names(struct postconf *pc, char **names, int count);

/* postconf_edit.c: -e, -X, -# of main.cf */
void postconf_edit_main(struct postconf *pc, char **args, int count);

/* postconf_master.c: -M, -F, -P */

/* A request: SERVICE[/TYPE[/WHAT]], "*" for what is left out. */
struct service_pattern {
	struct slice service, type, what;
	unsigned parts; /* how many were given */
};

/* service_pattern_parse - ends the program when there are more parts than `most`, or an unknown
 * field. */
struct service_pattern service_pattern_parse(struct postconf *pc, struct slice text, unsigned most);
bool service_pattern_matches(const struct service_pattern *p, const struct master_service *service);
/* master_field - the column's number by its name, MASTER_COLUMNS for the command; ends the program
 * otherwise. */
unsigned master_field(struct slice name);
void postconf_show_master(struct postconf *pc, char **requests, int count);
/* postconf_put_service - the line as -M prints it; `folded` as -Mf does. */
void postconf_put_service(struct postconf *pc, const struct master_service *service, bool folded);

/* postconf_edit_master.c: -M, -F, -P with -e, -X, -# */
void postconf_edit_master(struct postconf *pc, char **args, int count);

/* postconf_file.c: a file of the configuration directory, changed as a whole */
struct edited_file {
	const char *name; /* main.cf, master.cf */
	int dirfd;
	int fd;		   /* the new one, locked */
	struct slice path; /* for messages */
	struct slice text; /* the old one, read under the lock */
};

/* edited_file_open - NAME.tmp, empty and locked, with the old file's owner and mode; ends the
 * program if not. */
void edited_file_open(struct postconf *pc, const char *name, struct edited_file *file);
/* edited_file_commit - pc->out becomes the file: all of it, on disk, in one step. */
void edited_file_commit(struct postconf *pc, struct edited_file *file);

/* postconf_facts.c: -a, -A, -l, -m, -T */
void postconf_show_facts(struct postconf *pc, const char *tls_mode);

/* postconf_notice.c: -b, -t */
void postconf_show_notices(struct postconf *pc, char **args, int count);

#endif
