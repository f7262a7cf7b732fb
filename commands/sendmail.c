/* SPDX-License-Identifier: ISC */
/*
 * sendmail - the command that every program knows; mailq and newaliases are other names of it. The
 * options are read by hand, for their rules are older than getopt's: letters cluster, -q and -V mean
 * different things by what follows, and the first word that is no option ends them. sendmail(1)
 */
#include "commands/sendmail.h"
#include "address/list.h"
#include "message/dsn.h"
#include "os/file.h"
#include "os/process.h"

#include <errno.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

enum mode {
	MODE_DELIVER,
	MODE_SMTP,
	MODE_LIST,
	MODE_COUNT,
	MODE_ALIASES,
	MODE_DAEMON,
	MODE_FOREGROUND,
	MODE_VERIFY,
	MODE_NOTHING,
	MODE_FLUSH,
	MODE_VERSION
};

struct options {
	struct sendmail s;
	enum mode mode;
	const char *full_name;
	const char *sender;
	const char *flush_id;
	const char *flush_site;
	bool debug;
	bool interval; /* -q30m: the queue manager has its own, so it asks for nothing */
	unsigned verbose;
};

_Noreturn void sendmail_fatal(const struct sendmail *s, int code, const char *format, ...)
{
	struct command c = s->command;
	char text[1024];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	c.failure = EX_TEMPFAIL;
	if (c.settings != NULL && slice_eq(c.settings->sendmail_exit_status, SL("sysexits")))
		c.failure = code;
	if (c.settings != NULL && !c.logs)
		command_open_log(&c); /* it has nothing else to say */
	if (s->user.n == 0)
		command_fatal(&c, "%s", text); /* before it was asked who calls */
	command_fatal(&c, "%.*s(%u): %s", SL_ARG(s->user), (unsigned)getuid(), text);
}

static _Noreturn void usage(struct options *o, const char *format, const char *what)
{
	char text[256];

	snprintf(text, sizeof(text), "%s%s", format, what);
	command_load(&o->s.command);
	sendmail_fatal(&o->s, EX_USAGE, "%s", text);
}

static void warn(const char *option, const char *value, const char *what)
{
	fprintf(stderr, "sendmail: warning: -%s %s: %s\n", option, value, what);
}

/* ---- options with values */

static void option_b(struct options *o, const char *value)
{
	static const struct {
		char letter;
		enum mode mode;
	} modes[] = {{'m', MODE_DELIVER}, {'s', MODE_SMTP},	{'p', MODE_LIST},
		     {'P', MODE_COUNT},	  {'i', MODE_ALIASES},	{'d', MODE_DAEMON},
		     {'l', MODE_DAEMON},  {'D', MODE_FOREGROUND}, {'v', MODE_VERIFY},
		     {'h', MODE_NOTHING}, {'H', MODE_NOTHING}};

	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		if (value[0] == modes[i].letter) {
			o->mode = modes[i].mode;
			return;
		}
	usage(o, "unsupported: -b", value);
}

static void option_q(struct options *o, const char *value)
{
	switch (value[0]) {
	case '\0':
	case 'f':
		o->mode = MODE_FLUSH;
		return;
	case 'I':
		if (value[1] == '\0')
			usage(o, "specify: -qIqueueid", "");
		o->mode = MODE_FLUSH;
		o->flush_id = value + 1;
		return;
	case 'R':
		if (value[1] == '\0')
			usage(o, "specify: -qRsitename", "");
		o->mode = MODE_FLUSH;
		o->flush_site = value + 1;
		return;
	default:
		o->interval = true;
		if (!ascii_isdigit(value[0]))
			usage(o, "-q option is not implemented: -q", value);
	}
}

static void set_verp(struct options *o, const char *delimiters)
{
	o->s.envelope.verp = delimiters[0] != '\0' ? slice_str(delimiters) : SL("+=");
}

static void option_V(struct options *o, const char *value)
{
	struct slice envid;

	if (strlen(value) == 2) {
		warn("V", value, "taken as VERP delimiters; say -XV for that");
		set_verp(o, value);
	} else if (envid_parse(o->s.command.arena, xtext_encode(o->s.command.arena, slice_str(value)),
			       &envid)) {
		o->s.envelope.envid = envid;
	} else {
		warn("V", value, "bad envelope id; ignored");
	}
}

static void option_X(struct options *o, const char *value)
{
	if (value[0] == 'V')
		set_verp(o, value + 1);
	else
		warn("X", value, "traffic logging is not there; ignored");
}

static void option_o(struct options *o, const char *value)
{
	if (strcmp(value, "i") == 0)
		o->s.dot_is_data = true;
	else if (value[0] == 'A')
		o->s.alias_database = value + 1;
}

static void option_O(struct options *o, const char *value)
{
	if (strcasecmp(value, "SMTPUTF8=yes") == 0)
		o->s.envelope.smtputf8 = true;
}

static void option_N(struct options *o, const char *value)
{
	unsigned notify;

	if (dsn_notify_parse(slice_str(value), &notify))
		o->s.notify = notify;
	else
		warn("N", value, "never, or a list of success, failure, delay is allowed; ignored");
}

static void option_R(struct options *o, const char *value)
{
	enum dsn_ret ret;

	if (dsn_ret_parse(slice_str(value), &ret))
		o->s.envelope.ret = (enum mail_ret)ret;
	else
		warn("R", value, "full or hdrs is allowed; ignored");
}

static void option_B(struct options *o, const char *value)
{
	if (strcasecmp(value, "7BIT") != 0 && strcasecmp(value, "8BITMIME") != 0)
		usage(o, "-B wants 7BIT or 8BITMIME, not ", value);
	o->s.envelope.body = slice_str(strcasecmp(value, "7BIT") == 0 ? "7BIT" : "8BITMIME");
}

static void take_value(struct options *o, char letter, const char *value)
{
	switch (letter) {
	case 'B':
		option_B(o, value);
		break;
	case 'C':
		o->s.command.config_dir = value;
		break;
	case 'F':
		o->full_name = value;
		break;
	case 'N':
		option_N(o, value);
		break;
	case 'O':
		option_O(o, value);
		break;
	case 'R':
		option_R(o, value);
		break;
	case 'V':
		option_V(o, value);
		break;
	case 'X':
		option_X(o, value);
		break;
	case 'b':
		option_b(o, value);
		break;
	case 'd':
		o->debug = true;
		break;
	case 'f':
	case 'r':
		o->sender = value;
		break;
	case 'o':
		option_o(o, value);
		break;
	case 'q':
		option_q(o, value);
		break;
	default: /* A L e h p: known, without a meaning here */
		break;
	}
}

static void take_flag(struct options *o, char letter)
{
	char text[2] = {letter, '\0'};

	switch (letter) {
	case 'G':
		o->s.envelope.gateway = true;
		break;
	case 'I':
		o->mode = MODE_ALIASES;
		break;
	case 'i':
		o->s.dot_is_data = true;
		break;
	case 't':
		o->s.extract_recipients = true;
		break;
	case 'v':
		o->verbose++;
		break;
	case 'U':
	case 'c':
	case 'm':
	case 'n':
	case 'x':
		break;
	default:
		usage(o, "usage: sendmail [options] [recipient ...]; unknown option -", text);
	}
}

/* take_cluster - one word that begins with "-"; returns how many further words were its value. */
static int take_cluster(struct options *o, const char *word, const char *next)
{
	for (const char *p = word + 1; *p != '\0'; p++) {
		if (strchr("ABCFLNORVXbdefhopqr", *p) == NULL) {
			take_flag(o, *p);
			continue;
		}
		/* these two have their value attached, or none */
		if (p[1] != '\0' || *p == 'q' || *p == 'd') {
			take_value(o, *p, p + 1);
			return 0;
		}
		if (next == NULL)
			usage(o, "option needs a value: ", word);
		take_value(o, *p, next);
		return 1;
	}
	return 0;
}

/* old_directory - -C with the file's name means its directory. */
static void fix_config_dir(struct options *o)
{
	const char *dir = o->s.command.config_dir;
	size_t n;

	if (dir == NULL)
		return;
	n = strlen(dir);
	if (n > 8 && strcmp(dir + n - 8, "/main.cf") == 0)
		o->s.command.config_dir = arena_str(o->s.command.arena, slice(dir, n - 8));
}

static void parse(struct options *o, int argc, char **argv)
{
	int i = 1;

	while (i < argc && argv[i][0] == '-' && argv[i][1] != '\0') {
		if (strcmp(argv[i], "--") == 0) {
			i++;
			break;
		}
		if (strcmp(argv[i], "--version") == 0)
			o->mode = MODE_VERSION;
		else
			i += take_cluster(o, argv[i], argv[i + 1]);
		i++;
	}
	o->s.recipients = argv + i;
	/* a report is mailed; more of it asks for a verbose log, as in Postfix */
	o->s.envelope.record = o->verbose == 1;
	if (o->debug && o->mode == MODE_VERIFY)
		o->mode = MODE_VERSION;
	else if (o->debug)
		usage(o, "debugging options are not there: ", "-d");
	fix_config_dir(o);
}

/* ---- who sends */

/* find_user - LOGNAME or USER where it has our uid (several names may), else the first name of it. */
static struct passwd *find_user(void)
{
	static const char *const names[] = {"LOGNAME", "USER"};

	for (size_t i = 0; i < 2; i++) {
		const char *name = getenv(names[i]);
		struct passwd *pw = name != NULL ? getpwnam(name) : NULL;

		if (pw != NULL && pw->pw_uid == getuid())
			return pw;
	}
	return getpwuid(getuid());
}

/* full_name - -F, NAME, or the user's comment field up to a comma, where & is the login name. */
static struct slice full_name(const struct options *o, const struct passwd *pw, struct arena *arena)
{
	const char *given = o->full_name != NULL ? o->full_name : getenv("NAME");
	struct slice gecos;
	ssize_t comma, ampersand;

	if (given != NULL)
		return slice_str(given);
	if (pw == NULL || pw->pw_gecos == NULL)
		return SL("");
	gecos = slice_str(pw->pw_gecos);
	comma = slice_find(gecos, ',');
	if (comma >= 0)
		gecos.n = (size_t)comma;
	ampersand = slice_find(gecos, '&');
	if (ampersand >= 0)
		return arena_printf(arena, "%.*s%s%.*s", (int)ampersand, gecos.p, pw->pw_name,
				    SL_ARG(slice_from(gecos, (size_t)ampersand + 1)));
	return arena_dup(arena, gecos);
}

static void find_sender(struct options *o, const struct passwd *pw)
{
	struct arena *arena = o->s.command.arena;
	struct address_list list;
	struct slice text;

	if (o->sender == NULL) {
		if (pw == NULL)
			sendmail_fatal(&o->s, EX_OSERR, "no login name found for user ID %u",
				       (unsigned)getuid());
		o->s.envelope.sender = arena_dup(arena, slice_str(pw->pw_name));
		return;
	}
	text = slice_trim(slice_str(o->sender));
	o->s.has_sender = true;
	if (text.n == 0 || slice_eq(text, SL("<>")))
		return;
	address_list_parse(arena, text, 2, &list);
	if (list.count != 1)
		sendmail_fatal(&o->s, EX_USAGE, "-f option specified malformed sender: %s", o->sender);
	o->s.envelope.sender = list.items[0].address;
}

static void identify(struct options *o)
{
	struct passwd *pw = find_user();
	struct arena *arena = o->s.command.arena;
	struct slice name;

	o->s.user = pw != NULL ? arena_dup(arena, slice_str(pw->pw_name)) : SL("unknown");
	name = full_name(o, pw, arena);
	find_sender(o, pw);
	o->s.envelope.full_name = slice_sub(name, 0, 255);
}

/* ---- the modes */

static _Noreturn void run(struct options *o, const char *program, const char *a, const char *b,
			  const char *c)
{
	struct command *cmd = &o->s.command;
	struct slice path = arena_printf(cmd->arena, "%.*s/%s", SL_ARG(cmd->settings->command_directory),
					 program);
	char *argv[] = {(char *)(uintptr_t)program, (char *)(uintptr_t)a, (char *)(uintptr_t)b,
			(char *)(uintptr_t)c, NULL};

	setenv("MAIL_CONFIG", cmd->config_dir, 1);
	os_exec(path.p, argv, environ);
	sendmail_fatal(&o->s, EX_OSERR, "execute %s: %s", path.p, strerror(errno));
}

static _Noreturn void run_newaliases(struct options *o)
{
	struct command *cmd = &o->s.command;
	struct slice rest = cmd->settings->alias_database, word;
	struct slice path =
	    arena_printf(cmd->arena, "%.*s/postalias", SL_ARG(cmd->settings->command_directory));
	char **argv = ARENA_ARRAY(cmd->arena, rest.n + 3, char *);
	size_t n = 1;

	argv[0] = (char *)(uintptr_t) "postalias";
	if (o->s.alias_database != NULL)
		argv[n++] = (char *)(uintptr_t)o->s.alias_database;
	else
		while (settings_next_word(&rest, &word))
			argv[n++] = arena_str(cmd->arena, word);
	if (n == 1)
		exit(0);
	setenv("MAIL_CONFIG", cmd->config_dir, 1);
	os_exec(path.p, argv, environ);
	sendmail_fatal(&o->s, EX_OSERR, "execute %s: %s", path.p, strerror(errno));
}

static _Noreturn void run_flush(struct options *o)
{
	if (o->flush_id != NULL)
		run(o, "postqueue", "-i", o->flush_id, NULL);
	if (o->flush_site != NULL)
		run(o, "postqueue", "-s", o->flush_site, NULL);
	run(o, "postqueue", "-f", NULL, NULL);
}

/* print_count - -bP: how many messages are in the queue. */
static int print_count(struct options *o)
{
	char chunk[8192];
	unsigned long lines = 0;
	int ends[2], status;
	ssize_t n;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0 || (pid = os_fork()) < 0)
		sendmail_fatal(&o->s, EX_OSERR, "unable to run postqueue: %s", strerror(errno));
	if (pid == 0) {
		os_dup_to(ends[1], STDOUT_FILENO);
		run(o, "postqueue", "-j", NULL, NULL);
	}
	os_close(ends[1]);
	while ((n = os_read(ends[0], chunk, sizeof(chunk))) > 0)
		for (ssize_t i = 0; i < n; i++)
			lines += chunk[i] == '\n';
	os_close(ends[0]);
	if (os_wait(pid, &status) < 0 || status != 0)
		return EX_TEMPFAIL;
	printf("%lu\n", lines);
	return 0;
}

/* is_running - what `postrider status` says, without saying it. */
static bool is_running(struct options *o)
{
	int status, nowhere;
	pid_t pid = os_fork();

	if (pid < 0)
		sendmail_fatal(&o->s, EX_OSERR, "unable to run postrider: %s", strerror(errno));
	if (pid == 0) {
		nowhere = os_openat(AT_FDCWD, "/dev/null", O_WRONLY, 0);
		os_dup_to(nowhere, STDOUT_FILENO);
		os_dup_to(nowhere, STDERR_FILENO);
		run(o, "postrider", "status", NULL, NULL);
	}
	return os_wait(pid, &status) >= 0 && status == 0;
}

/* submit - a message, or with -bv a probe; -q30m alone asks for nothing. */
static int submit(struct options *o)
{
	if (o->mode == MODE_VERIFY && o->s.extract_recipients)
		sendmail_fatal(&o->s, EX_USAGE, "-t option cannot be used with -bv");
	if (o->interval && o->s.recipients[0] == NULL && !o->s.extract_recipients)
		return 0;
	o->s.envelope.verify = o->mode == MODE_VERIFY;
	sendmail_submit(&o->s);
	if (o->s.envelope.record || o->s.envelope.verify)
		printf("Mail Delivery Status Report will be mailed to <%.*s>.\n",
		       SL_ARG(o->s.envelope.sender));
	return 0;
}

static int dispatch(struct options *o)
{
	switch (o->mode) {
	case MODE_DELIVER:
	case MODE_VERIFY:
		return submit(o);
	case MODE_SMTP:
		return sendmail_smtp(&o->s);
	case MODE_LIST:
		run(o, "postqueue", "-p", NULL, NULL);
	case MODE_COUNT:
		return print_count(o);
	case MODE_ALIASES:
		run_newaliases(o);
	case MODE_DAEMON:
		if (is_running(o)) /* an init script may ask for it twice */
			return 0;
		run(o, "postrider", "start", NULL, NULL);
	case MODE_FOREGROUND:
		run(o, "postrider", "start-fg", NULL, NULL);
	case MODE_FLUSH:
		run_flush(o);
	case MODE_VERSION:
		printf("mail_version = %.*s\n", SL_ARG(o->s.command.settings->mail_version));
		return 0;
	case MODE_NOTHING:
		break;
	}
	return 0;
}

static enum mode mode_of_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash != NULL ? slash + 1 : path;

	if (strcmp(name, "mailq") == 0)
		return MODE_LIST;
	if (strcmp(name, "newaliases") == 0)
		return MODE_ALIASES;
	if (strcmp(name, "smtpd") == 0)
		return MODE_DAEMON;
	return MODE_DELIVER;
}

int main(int argc, char **argv)
{
	struct options o = {.mode = mode_of_name(argv[0])};

	o.s.command = (struct command){.name = "sendmail", .failure = EX_TEMPFAIL};
	o.s.command.arena = arena_create();
	parse(&o, argc, argv);
	command_load(&o.s.command);
	identify(&o);
	return dispatch(&o);
}
