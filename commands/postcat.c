/* SPDX-License-Identifier: ISC */
/* postcat - show a message of the queue; postcat(1). */
#include "base/check.h"
#include "commands/command.h"
#include "os/file.h"
#include "queue/queue.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define SHOW_ENVELOPE 1u
#define SHOW_HEADER 2u
#define SHOW_BODY 4u
#define SHOW_ALL (SHOW_ENVELOPE | SHOW_HEADER | SHOW_BODY)
#define CHUNK 65536
#define RECORD_REGULAR 78 /* 'N', the decimal type that -d shows for content */

struct postcat {
	struct command command;
	int queue_fd;
	unsigned show;
	bool from_queue;
	bool offsets;
	bool decimal;
	uint64_t skip;   /* what lies before this offset is not shown */
	uint64_t offset; /* of the next content line */
	bool in_body;
	bool line_open;  /* the line under way has begun */
	struct buffer line;
};

static void put_when(const char *name, int64_t us)
{
	char text[64] = "";
	time_t t = (time_t)(us / 1000000);
	struct tm tm;

	if (localtime_r(&t, &tm))
		strftime(text, sizeof(text), "%a %b %e %H:%M:%S %Y", &tm);
	printf("%s: %s\n", name, text);
}

static void put_attribute(const char *name, struct slice value)
{
	if (value.n > 0)
		printf("named_attribute: %s=%.*s\n", name, SL_ARG(value));
}

static void put_client(const struct queue_envelope *e)
{
	put_attribute("log_client_name", e->client_name);
	put_attribute("log_client_address", e->client_address);
	put_attribute("log_client_port", e->client_port);
	put_attribute("log_helo_name", e->helo);
	put_attribute("log_protocol_name", e->protocol);
	put_attribute("client_name", e->client_name);
	put_attribute("reverse_client_name", e->reverse_client_name);
	put_attribute("client_address", e->client_address);
	put_attribute("client_port", e->client_port);
	put_attribute("server_address", e->server_address);
	put_attribute("server_port", e->server_port);
	put_attribute("helo_name", e->helo);
	put_attribute("protocol_name", e->protocol);
	put_attribute("sasl_method", e->sasl_method);
	put_attribute("sasl_username", e->sasl_username);
	put_attribute("sasl_sender", e->sasl_sender);
}

static void put_recipient(const struct queue_recipient *r)
{
	bool done = r->outcome != QUEUE_PENDING && r->outcome != QUEUE_DEFERRED;

	if (r->orcpt.n > 0)
		printf("named_attribute: dsn_orig_rcpt=%.*s\n", SL_ARG(r->orcpt));
	if (r->notify != 0)
		printf("named_attribute: notify_flags=%u\n", r->notify);
	printf("original_recipient: %.*s\n", SL_ARG(r->original.n ? r->original : r->address));
	printf("%s: %.*s\n", done ? "done_recipient" : "recipient", SL_ARG(r->address));
}

static void put_envelope(const struct queue_message *m)
{
	const struct queue_envelope *e = m->envelope;

	printf("message_size: %15llu %15llu %15zu %15d %15llu %15d\n",
	       (unsigned long long)e->content_size, (unsigned long long)m->content_offset,
	       e->recipient_count, 0, (unsigned long long)e->content_size, 0);
	put_when("message_arrival_time", e->arrival);
	put_when("create_time", e->arrival);
	if (e->flags & QUEUE_EXPIRED)
		printf("named_attribute: forced_expire=1\n");
	put_attribute("log_ident", e->log_ident.n ? e->log_ident : queue_id_slice(&e->id));
	put_attribute("rewrite_context", e->rewrite_context);
	put_attribute("envelope_id", e->envid);
	if (e->ret != QUEUE_RET_UNSET)
		printf("named_attribute: ret_flags=%d\n", (int)e->ret);
	if (e->full_name.n > 0)
		printf("sender_fullname: %.*s\n", SL_ARG(e->full_name));
	printf("sender: %.*s\n", SL_ARG(e->sender));
	put_client(e);
	put_attribute("message_id", e->message_id);
	put_attribute("content_filter", e->content_filter);
	for (size_t i = 0; i < e->recipient_count; i++)
		put_recipient(&e->recipients[i]);
}

/* ---- content */

static void put_line(struct postcat *pc, struct slice line)
{
	struct slice bare = slice_ends(line, SL("\r\n"))  ? slice_sub(line, 0, line.n - 2)
			    : slice_ends(line, SL("\n")) ? slice_sub(line, 0, line.n - 1)
							  : line;
	unsigned part;

	if (!pc->in_body && !pc->line_open && bare.n == 0)
		pc->in_body = true; /* the empty line belongs to the body, as in Postfix */
	part = pc->in_body ? SHOW_BODY : SHOW_HEADER;
	if ((pc->show & part) && pc->offset >= pc->skip) {
		if (pc->offsets)
			printf("%9llu ", (unsigned long long)pc->offset);
		if (pc->decimal)
			printf("%3d ", RECORD_REGULAR);
		if (pc->show == SHOW_ALL)
			printf("%s", pc->decimal || pc->offsets ? "regular_text: " : "");
		fwrite(bare.p, 1, bare.n, stdout);
		putchar('\n');
	}
	pc->offset += line.n;
}

static void take_chunk(struct postcat *pc, struct slice chunk)
{
	ssize_t end;

	while ((end = slice_find(chunk, '\n')) >= 0) {
		struct slice line = slice_sub(chunk, 0, (size_t)end + 1);

		if (pc->line.len > 0) {
			buffer_append(&pc->line, line);
			put_line(pc, buffer_slice(&pc->line));
			buffer_reset(&pc->line);
		} else {
			put_line(pc, line);
		}
		chunk = slice_from(chunk, (size_t)end + 1);
	}
	if (!buffer_append(&pc->line, chunk))
		command_fatal(&pc->command, "a line is longer than can be shown");
}

static void put_content(struct postcat *pc, const struct queue_message *m)
{
	char *chunk = arena_alloc(pc->command.arena, CHUNK);
	uint64_t at = 0;
	size_t got;

	pc->offset = m->content_offset;
	pc->in_body = false;
	buffer_init(&pc->line, (size_t)1 << 30);
	while (at < m->content_size) {
		if (queue_message_content(m, at, chunk, CHUNK, &got) != RES_OK || got == 0)
			command_fatal(&pc->command, "read content: %s", strerror(errno));
		take_chunk(pc, slice(chunk, got));
		at += got;
	}
	if (pc->line.len > 0)
		put_line(pc, buffer_slice(&pc->line));
	buffer_free(&pc->line);
}

static void show_message(struct postcat *pc, const struct queue_message *m)
{
	const char *place = queue_place_name(m->location.place);
	const char *id = m->location.id.text;
	bool marks = (pc->show & SHOW_ENVELOPE) && pc->skip <= m->content_offset;

	if (marks) {
		printf("*** ENVELOPE RECORDS %s/%s ***\n", place, id);
		put_envelope(m);
		printf("*** MESSAGE CONTENTS %s/%s ***\n", place, id);
	}
	if (pc->show & (SHOW_HEADER | SHOW_BODY))
		put_content(pc, m);
	if (marks) {
		printf("*** HEADER EXTRACTED %s/%s ***\n", place, id);
		printf("named_attribute: encoding=%s\n",
		       m->envelope->flags & QUEUE_8BIT ? "8bit" : "7bit");
		printf("*** MESSAGE FILE END %s/%s ***\n", place, id);
	}
}

static bool show_one(struct postcat *pc, const char *name)
{
	struct queue_location loc;
	struct queue_message m;
	struct queue_error error = {0};
	struct queue_id id;
	const char *base = strrchr(name, '/');

	if (!queue_id_parse(slice_str(base ? base + 1 : name), &id, NULL, NULL) ||
	    queue_find(pc->queue_fd, &id, &loc, &error) != RES_OK)
		command_fatal(&pc->command, "open queue file %s: No such file or directory", name);
	if (queue_read(pc->queue_fd, &loc, pc->command.arena, &m, &error) != RES_OK)
		command_fatal(&pc->command, "read queue file %s: %s", name,
			   queue_reason_text(error.reason));
	show_message(pc, &m);
	queue_message_close(&m);
	return true;
}

_Noreturn static void usage(const struct postcat *pc)
{
	command_fatal(&pc->command, "usage: %s [-b (body text)] [-c config_dir] [-d (decimal record type)] "
			      "[-e (envelope records)] [-h (header text)] [-o (offsets)] [-q (access "
			      "queue)] [-r (records in order)] [-s offset] [-v] queue_id...", pc->command.name);
}

int main(int argc, char **argv)
{
	struct postcat pc = {.command = {.name = "postcat", .failure = 1}};
	int c;

	while ((c = command_option(&pc.command, argc, argv, "bc:dehnoqrs:v")) > 0) {
		switch (c) {
		case 'b':
			pc.show |= SHOW_BODY;
			break;
		case 'c':
			pc.command.config_dir = optarg;
			break;
		case 'd':
			pc.decimal = true;
			break;
		case 'e':
			pc.show |= SHOW_ENVELOPE;
			break;
		case 'h':
			pc.show |= SHOW_HEADER;
			break;
		case 'o':
			pc.offsets = true;
			break;
		case 'q':
			pc.from_queue = true;
			break;
		case 's':
			if (!slice_u64(slice_str(optarg), &pc.skip))
				command_fatal(&pc.command, "bad offset \"%s\": a number of bytes is allowed",
					      optarg);
			break;
		case 'n': /* record names are always shown */
		case 'r': /* records have one order only */
		case 'v':
			break;
		default:
			usage(&pc);
		}
	}
	if (pc.show == 0)
		pc.show = SHOW_ALL;
	/* Messages are not files of their own: a name is a queue id, with -q or without. */
	if (optind >= argc)
		usage(&pc);
	command_load(&pc.command);
	pc.queue_fd = command_enter_queue(&pc.command);
	for (; optind < argc; optind++)
		show_one(&pc, argv[optind]);
	if (fflush(stdout) != 0 || ferror(stdout))
		command_fatal(&pc.command, "output write error: %s", strerror(errno));
	command_close(&pc.command);
	return 0;
}
