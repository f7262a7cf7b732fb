/* SPDX-License-Identifier: ISC */
/*
 * postqueue - list and flush the queue; postqueue(1). Installed set-gid: any user may run it, so it trusts
 * neither its environment nor its arguments, and asks daemons for all that it shows or does.
 */
#include "base/check.h"
#include "commands/ask_qmgr.h"
#include "commands/command.h"
#include "commands/guarded.h"
#include "fiber/stream.h"
#include "ipc/qmgr.h"
#include "os/process.h"
#include "queue/queue.h"
#include "showq/listing.h"
#include "table/match_list.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE (3600 * OS_SECOND)
#define LISTING_LIMIT ((size_t)1 << 30) /* of one message */
#define REASON_COLUMN 76

struct postqueue {
	struct command command;
	int queue_fd;
	bool json;
	struct buffer buffer;
	struct arena *arena;
	bool first;        /* the listing's opening has not come yet */
	bool printed;      /* the heading */
	uint64_t count;
	uint64_t size;
	const char *problem; /* why the listing broke off */
};

/* ---- printing */

static void print_heading(struct postqueue *pq)
{
	if (!pq->printed)
		printf("%-17s %8s %-19s %s\n", "----Queue ID-----", "--Size--",
		       "---Arrival Time----", "--Sender/Recipient------");
	pq->printed = true;
}

/* put_text - addresses and reasons come from strangers: no control byte reaches the terminal. */
static void put_text(struct slice s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		putchar(c < 32 || c == 127 ? '?' : c);
	}
}

static void print_recipients(const struct listing_entry *e)
{
	struct slice said = SL("");

	for (size_t i = 0; i < e->recipient_count; i++) {
		struct slice reason = e->recipients[i].reason;

		if (!slice_eq(reason, said)) {
			said = reason;
			if (reason.n == 0)
				reason = SL("reason unavailable");
			printf("%*s(", reason.n < REASON_COLUMN ? (int)(REASON_COLUMN - reason.n) : 0,
			       "");
			put_text(reason);
			printf(")\n");
		}
		printf("%-17s %8s %-19s ", "", "", "");
		put_text(e->recipients[i].address);
		putchar('\n');
	}
}

static void print_entry(struct postqueue *pq, const struct listing_entry *e)
{
	char when[32] = "";
	char id[80];
	time_t t = (time_t)e->time;
	struct tm tm;
	const char *mark = slice_eq(e->queue_name, SL("active")) ? "*"
			   : slice_eq(e->queue_name, SL("hold")) ? "!"
								 : "";

	print_heading(pq);
	if (localtime_r(&t, &tm))
		strftime(when, sizeof(when), "%a %b %e %H:%M:%S", &tm);
	snprintf(id, sizeof(id), "%.*s%s%s", (int)(e->queue_id.n < 64 ? e->queue_id.n : 64),
		 e->queue_id.p, mark, e->forced_expire ? "#" : "");
	printf("%-17s %8llu %19.19s ", id, (unsigned long long)e->size, when);
	put_text(e->sender);
	putchar('\n');
	print_recipients(e);
	putchar('\n');
}

static void put_json(struct slice s)
{
	putchar('"');
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c == '"' || c == '\\')
			printf("\\%c", c);
		else if (c < 32 || c == 127)
			printf("\\u%04X", c);
		else
			putchar(c);
	}
	putchar('"');
}

static void print_json(const struct listing_entry *e)
{
	printf("{\"queue_name\": ");
	put_json(e->queue_name);
	printf(", \"queue_id\": ");
	put_json(e->queue_id);
	printf(", \"arrival_time\": %lld, \"message_size\": %llu, \"forced_expire\": %s, \"sender\": ",
	       (long long)e->time, (unsigned long long)e->size, e->forced_expire ? "true" : "false");
	put_json(e->sender);
	printf(", \"recipients\": [");
	for (size_t i = 0; i < e->recipient_count; i++) {
		printf("%s{\"address\": ", i ? ", " : "");
		put_json(e->recipients[i].address);
		if (e->recipients[i].reason.n > 0) {
			printf(", \"delay_reason\": ");
			put_json(e->recipients[i].reason);
		}
		putchar('}');
	}
	printf("]}\n");
}

static void show(struct postqueue *pq, const struct listing_entry *e)
{
	pq->count++;
	pq->size += e->size;
	if (pq->json)
		print_json(e);
	else
		print_entry(pq, e);
}

static void print_total(const struct postqueue *pq)
{
	if (pq->json)
		return;
	if (pq->count == 0)
		printf("Mail queue is empty\n");
	else
		printf("-- %llu Kbytes in %llu Request%s.\n", (unsigned long long)(pq->size / 1024),
		       (unsigned long long)pq->count, pq->count == 1 ? "" : "s");
}

/* ---- listing */

/* take_listing - show what has come; true at the end of the listing. */
static bool take_listing(struct postqueue *pq)
{
	struct slice in = buffer_slice(&pq->buffer);
	struct listing_entry e;
	int rc;

	while ((rc = listing_decode(&in, &pq->first, pq->arena, &e)) == 1) {
		show(pq, &e);
		arena_reset(pq->arena);
	}
	if (rc < 0)
		pq->problem = "malformed showq server response";
	buffer_consume(&pq->buffer, pq->buffer.len - in.n);
	return rc != 0;
}

static void read_listing(struct postqueue *pq, struct stream *stream)
{
	int64_t deadline = os_deadline(PATIENCE);

	for (;;) {
		struct slice bytes;

		if (stream_peek(stream, deadline, &bytes) != STREAM_OK ||
		    !buffer_append(&pq->buffer, bytes)) {
			pq->problem = "malformed showq server response";
			return;
		}
		stream_consume(stream, bytes.n);
		if (take_listing(pq))
			return;
	}
}

static bool unix_address(struct slice path, struct os_addr *addr)
{
	struct sockaddr_un *un = (struct sockaddr_un *)&addr->ss;

	memset(addr, 0, sizeof(*addr));
	if (path.n >= sizeof(un->sun_path))
		return false;
	un->sun_family = AF_UNIX;
	memcpy(un->sun_path, path.p, path.n);
	addr->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path.n + 1);
	return true;
}

static bool show_one_directly(void *context, const struct queue_entry *found)
{
	struct postqueue *pq = context;
	struct listing_entry e;

	if (listing_read(pq->queue_fd, found, false, pq->arena, &e) == RES_OK)
		show(pq, &e);
	arena_reset(pq->arena);
	return true;
}

static void list_directly(struct postqueue *pq)
{
	struct queue_error error;

	if (queue_list(pq->queue_fd, QUEUE_ALL_PLACES, show_one_directly, pq, &error) != RES_OK)
		command_warn(&pq->command, "queue: %s", queue_reason_text(error.reason));
}

/* list_fiber - from showq; from the queue itself when that is down and we are root. */
static void list_fiber(void *arg)
{
	struct postqueue *pq = arg;
	const struct settings *st = pq->command.settings;
	struct slice path = arena_printf(pq->command.arena, "public/%.*s", SL_ARG(st->showq_service_name));
	struct os_addr addr;
	struct stream stream;
	int fd = -1;

	if (unix_address(path, &addr))
		fd = fiber_connect(&addr, NULL, os_deadline(PATIENCE), "showq");
	if (fd >= 0) {
		stream_init(&stream, fd);
		read_listing(pq, &stream);
		stream_close(&stream, 0);
	} else if (os_uid() == 0) {
		command_warn(&pq->command,
			  "Mail system is down -- accessing queue directly (Connect to the %.*s %.*s "
			  "service: %s)",
			  SL_ARG(st->mail_name), SL_ARG(st->showq_service_name), strerror(errno));
		list_directly(pq);
	} else {
		command_fatal(&pq->command,
			   "Queue report unavailable - mail system is down (Connect to the %.*s %.*s "
			   "service: %s)",
			   SL_ARG(st->mail_name), SL_ARG(st->showq_service_name), strerror(errno));
	}
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

static void list_queue(struct postqueue *pq)
{
	may(pq, pq->command.settings->authorized_mailq_users, "view");
	confine(pq);
	buffer_init(&pq->buffer, LISTING_LIMIT);
	pq->arena = arena_create();
	pq->first = true;
	if (fibers_run(NULL, list_fiber, pq) < 0)
		command_fatal(&pq->command, "cannot start: %s", strerror(errno));
	if (pq->problem)
		command_fatal(&pq->command, "%s", pq->problem);
	print_total(pq);
	arena_destroy(&pq->arena);
	buffer_free(&pq->buffer);
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

_Noreturn static void usage(const struct postqueue *pq)
{
	command_fatal(&pq->command, "usage: postqueue -f | postqueue -i queueid | postqueue -j | postqueue "
			      "-p | postqueue -s site");
}

int main(int argc, char **argv)
{
	struct postqueue pq = {.command = {.name = "postqueue", .failure = EX_UNAVAILABLE}};
	struct slice argument = SL_NULL;
	int mode = 0;
	int c;

	guarded_begin();
	while ((c = command_option(&pq.command, argc, argv, "c:fi:jps:v")) > 0) {
		if (c == 'c') {
			pq.command.config_dir = optarg;
			continue;
		}
		if (c == 'v')
			continue;
		if (c == '?' || mode != 0)
			usage(&pq);
		mode = c;
		if (c == 'i' || c == 's')
			argument = slice_str(optarg);
	}
	if (mode == 0 || optind < argc)
		usage(&pq);
	command_load(&pq.command);
	pq.queue_fd = command_enter_queue(&pq.command);
	pq.json = mode == 'j';
	if (mode == 'j' || mode == 'p') {
		list_queue(&pq);
	} else {
		may(&pq, pq.command.settings->authorized_flush_users, "flush");
		if (mode == 'f') {
			flush(&pq, QMGR_FLUSH_ALL, SL_NULL, SL_NULL);
			flush_maildrop(&pq);
		} else if (mode == 'i') {
			flush_id(&pq, argument);
		} else {
			flush_site(&pq, argument);
		}
	}
	if (fflush(stdout) != 0 || ferror(stdout))
		command_fatal(&pq.command, "output write error: %s", strerror(errno));
	command_close(&pq.command);
	return 0;
}
