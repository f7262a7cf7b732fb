/* SPDX-License-Identifier: ISC */
/*
 * postqueue - list and flush the queue; postqueue(1). Installed set-gid: any user may run it, so it trusts
 * neither its environment nor its arguments, and asks daemons for all that it shows or does.
 */
#include "commands/ask_qmgr.h"
#include "commands/command.h"
#include "commands/guarded.h"
#include "commands/postqueue.h"
#include "ipc/qmgr.h"
#include "os/process.h"
#include "table/match_list.h"

#include <errno.h>
#include <getopt.h>
#include <pwd.h>
#include <stdio.h>
#include <sysexits.h>

#define PATIENCE (3600 * OS_SECOND)

/* Options without a letter; FILTER + enum queue_criterion are the filters. */
enum option_code { LONG = 256, IDS, SHAPE, OLDER, NEWER, FILTER };

struct postqueue {
	struct command command;
	int queue_fd;
	int mode; /* f i j p s, or SHAPE, IDS */
	struct slice argument; /* of -i, -s */
	struct queue_filter filter;
	bool details;
	bool by_sender;
	struct queue_shape *shape;
	int64_t now;
	uint64_t count;
	uint64_t size;
};

static bool is_listing(int mode)
{
	return mode == 'j' || mode == 'p' || mode == SHAPE || mode == IDS;
}

/* ---- who may */

static bool user_in_list(struct postqueue *pq, struct slice list, char *name, size_t size)
{
	struct table_config config = {.may_block = true};
	struct table_set *set = table_set_create(&config);
	struct match_list *users = match_list_create(set, list, 0);
	struct passwd *pw = getpwuid(os_uid());
	bool yes;

	snprintf(name, size, "%s", pw ? pw->pw_name : "unknown");
	yes = match_list_string(users, slice_str(name), pq->command.arena, NULL) == TABLE_FOUND;
	table_set_destroy(&set);
	return yes;
}

static void may(struct postqueue *pq, struct slice list, const char *what)
{
	char name[64];

	if (os_uid() == 0 || user_in_list(pq, list, name, sizeof(name)))
		return;
	command_fatal(&pq->command, "User %s(%ld) is not allowed to %s the mail queue", name,
		   (long)os_uid(), what);
}

/* confine - what is left to do needs no file; only root may have to read the queue by himself. */
static void confine(const struct postqueue *pq)
{
	if (command_is_guarded())
		guarded_confine(&pq->command);
}

/* ---- listing */

static void show(void *context, const struct listing_entry *e, struct arena *arena)
{
	struct postqueue *pq = context;

	if (!queue_filter_takes(&pq->filter, e, pq->now, arena))
		return;
	pq->count++;
	pq->size += e->size;
	if (pq->mode == SHAPE) {
		queue_shape_add(pq->shape, e, pq->by_sender, pq->now);
	} else if (pq->mode == IDS) {
		postqueue_put_text(e->queue_id);
		putchar('\n');
	} else if (pq->mode == 'j') {
		postqueue_print_json(e);
	} else {
		if (pq->count == 1)
			postqueue_print_heading();
		postqueue_print(e, pq->details);
	}
}

static void print_total(const struct postqueue *pq)
{
	if (pq->count > 0)
		printf("-- %llu Kbytes in %llu Request%s.\n", (unsigned long long)(pq->size / 1024),
		       (unsigned long long)pq->count, pq->count == 1 ? "" : "s");
	else if (queue_filter_is_empty(&pq->filter))
		printf("Mail queue is empty\n");
	else
		printf("No message in the mail queue matches\n");
}

static void list_queue(struct postqueue *pq)
{
	may(pq, pq->command.settings->authorized_mailq_users, "view");
	confine(pq);
	pq->now = os_wall();
	if (pq->mode == SHAPE)
		pq->shape = queue_shape_create();
	postqueue_read(&pq->command, pq->queue_fd, show, pq);
	if (pq->mode == SHAPE)
		queue_shape_print(pq->shape);
	else if (pq->mode == 'p')
		print_total(pq);
	queue_shape_destroy(&pq->shape);
}

/* ---- flushing */

static void flush(struct postqueue *pq, enum qmgr_flush what, struct slice id, struct slice site)
{
	struct qmgr_queue_flush m = {.what = what, .queue_id = id, .site = site};
	struct qmgr_control_done done = {0};
	struct slice path = arena_printf(pq->command.arena, "public/%.*s",
					 SL_ARG(pq->command.settings->queue_service_name));

	confine(pq);
	if (!ask_qmgr_flush(path.p, &m, pq->command.arena, &done, os_deadline(PATIENCE)))
		command_fatal(&pq->command, "Cannot flush mail queue - mail system is down");
	if (done.error.n > 0)
		command_fatal(&pq->command, "%.*s", SL_ARG(done.error));
}

static void flush_maildrop(struct postqueue *pq)
{
	struct slice path = arena_printf(pq->command.arena, "public/%.*s",
					 SL_ARG(pq->command.settings->pickup_service_name));
	struct ipc_conn *conn;

	if (ipc_connect_blocking(path.p, os_deadline(OS_SECOND), &conn) != IPC_OK)
		return;
	(void)ipc_send(conn, &qmgr_wake_up_message, NULL, os_deadline(OS_SECOND));
	ipc_conn_close(&conn);
}

/* valid_site - a domain name or an address in brackets; what cannot be one is not sent on. */
static bool valid_site(struct slice site)
{
	if (site.n == 0 || site.n > 255)
		return false;
	for (size_t i = 0; i < site.n; i++) {
		char c = site.p[i];

		if (!ascii_isalnum(c) && !memchr("-._:[]", c, 6) && (unsigned char)c < 128)
			return false;
	}
	return true;
}

static void flush_site(struct postqueue *pq, struct slice site)
{
	const struct settings *st = pq->command.settings;
	struct table_config config = {.may_block = true};
	struct table_set *set = table_set_create(&config);
	struct match_list *domains = match_list_create(
	    set, st->fast_flush_domains,
	    match_list_parent_flag(st->parent_domain_matches_subdomains, SL("fast_flush_domains")));

	if (!valid_site(site))
		command_fatal(&pq->command, "Cannot flush mail queue - invalid destination: \"%.100s\"",
			   site.p);
	if (match_list_host(domains, site, pq->command.arena, NULL) != TABLE_FOUND)
		command_fatal(&pq->command, "Flush service is not configured for destination \"%s\"",
			   site.p);
	table_set_destroy(&set);
	flush(pq, QMGR_FLUSH_SITE, SL_NULL, site);
}

static void flush_id(struct postqueue *pq, struct slice id)
{
	if (id.n == 0)
		command_fatal(&pq->command, "Cannot flush queue ID - invalid name: \"\"");
	for (size_t i = 0; i < id.n; i++) {
		if (!ascii_isalnum(id.p[i]))
			command_fatal(&pq->command, "Cannot flush queue ID - invalid name: \"%.100s\"", id.p);
	}
	/* what is no id of ours names no message; but who asks is told when nobody could have looked */
	flush(pq, QMGR_FLUSH_ID, slice_sub(id, 0, 64), SL_NULL);
}

/* ---- arguments */

_Noreturn static void usage(const struct postqueue *pq)
{
	command_fatal(&pq->command,
		      "usage: postqueue -f | postqueue -i queueid | postqueue -j | postqueue -p | "
		      "postqueue -s site | postqueue --shape | postqueue --ids; with -j, -p, --shape and "
		      "--ids: [--sender glob] [--recipient glob] [--domain glob] [--reason glob] "
		      "[--status queue] [--older time] [--newer time]; with -p: [--long]");
}

static void take_mode(struct postqueue *pq, int mode, const char *argument)
{
	if (pq->mode != 0)
		usage(pq);
	pq->mode = mode;
	pq->argument = argument ? slice_str(argument) : SL_NULL;
}

static void take_shape(struct postqueue *pq, const char *by)
{
	take_mode(pq, SHAPE, NULL);
	pq->by_sender = by != NULL && strcmp(by, "sender") == 0;
	if (by != NULL && !pq->by_sender && strcmp(by, "recipient") != 0)
		command_fatal(&pq->command, "--shape: bad value \"%s\": recipient or sender is allowed", by);
}

static void take_filter(struct postqueue *pq, int option, const char *text)
{
	struct arena *arena = pq->command.arena;
	const char *wrong;

	if (option == OLDER)
		wrong = queue_filter_age(text, arena, &pq->filter.older);
	else if (option == NEWER)
		wrong = queue_filter_age(text, arena, &pq->filter.newer);
	else
		wrong = queue_filter_add(&pq->filter, (enum queue_criterion)(option - FILTER), text, arena);
	if (wrong != NULL)
		command_fatal(&pq->command, "%s", wrong);
}

static void take_option(struct postqueue *pq, int c)
{
	switch (c) {
	case 'c':
		pq->command.config_dir = optarg;
		break;
	case 'v':
		break;
	case LONG:
		pq->details = true;
		break;
	case SHAPE:
		take_shape(pq, optarg);
		break;
	case 'f':
	case 'j':
	case 'p':
	case 'i':
	case 's':
	case IDS:
		take_mode(pq, c, optarg);
		break;
	case '?':
		usage(pq);
	default:
		take_filter(pq, c, optarg);
	}
}

static void parse_arguments(struct postqueue *pq, int argc, char **argv)
{
	static const struct option options[] = {
	    {"sender", required_argument, NULL, FILTER + CRITERION_SENDER},
	    {"recipient", required_argument, NULL, FILTER + CRITERION_RECIPIENT},
	    {"domain", required_argument, NULL, FILTER + CRITERION_DOMAIN},
	    {"reason", required_argument, NULL, FILTER + CRITERION_REASON},
	    {"status", required_argument, NULL, FILTER + CRITERION_STATUS},
	    {"older", required_argument, NULL, OLDER},
	    {"newer", required_argument, NULL, NEWER},
	    {"long", no_argument, NULL, LONG},
	    {"ids", no_argument, NULL, IDS},
	    {"shape", optional_argument, NULL, SHAPE},
	    {0},
	};
	int c;

	while ((c = command_long_option(&pq->command, argc, argv, "c:fi:jps:v", options)) > 0)
		take_option(pq, c);
	if (pq->mode == 0 || optind < argc || (pq->details && pq->mode != 'p'))
		usage(pq);
	if (!is_listing(pq->mode) && !queue_filter_is_empty(&pq->filter))
		usage(pq);
}

int main(int argc, char **argv)
{
	struct postqueue pq = {.command = {.name = "postqueue", .failure = EX_UNAVAILABLE}};

	guarded_begin();
	pq.command.arena = arena_create();
	parse_arguments(&pq, argc, argv);
	command_load(&pq.command);
	pq.queue_fd = command_enter_queue(&pq.command);
	if (is_listing(pq.mode)) {
		list_queue(&pq);
	} else {
		may(&pq, pq.command.settings->authorized_flush_users, "flush");
		if (pq.mode == 'f') {
			flush(&pq, QMGR_FLUSH_ALL, SL_NULL, SL_NULL);
			flush_maildrop(&pq);
		} else if (pq.mode == 'i') {
			flush_id(&pq, pq.argument);
		} else {
			flush_site(&pq, pq.argument);
		}
	}
	if (fflush(stdout) != 0 || ferror(stdout))
		command_fatal(&pq.command, "output write error: %s", strerror(errno));
	command_close(&pq.command);
	return 0;
}
