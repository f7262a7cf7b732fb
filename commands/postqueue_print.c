/* SPDX-License-Identifier: ISC */
#include "commands/postqueue.h"
#include "os/clock.h"

#include <stdio.h>
#include <time.h>

#define REASON_COLUMN 76

void postqueue_put_text(struct slice s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		putchar(c < 32 || c == 127 ? '?' : c);
	}
}

void postqueue_print_heading(void)
{
	printf("%-17s %8s %-19s %s\n", "----Queue ID-----", "--Size--", "---Arrival Time----",
	       "--Sender/Recipient------");
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
			postqueue_put_text(reason);
			printf(")\n");
		}
		printf("%-17s %8s %-19s ", "", "", "");
		postqueue_put_text(e->recipients[i].address);
		putchar('\n');
	}
}

/* when - in local time, as ctime(3) without the year. */
static const char *when(int64_t seconds, char text[32])
{
	time_t t = (time_t)seconds;
	struct tm tm;

	text[0] = '\0';
	if (localtime_r(&t, &tm))
		strftime(text, 32, "%a %b %e %H:%M:%S", &tm);
	return text;
}

/* print_next_try - what a message waits for. */
static void print_next_try(const struct listing_entry *e)
{
	int64_t left = e->next_try - os_wall() / OS_SECOND;
	char text[32];

	if (e->next_try == 0)
		return;
	printf("%-17s %8s next try: %s", "", "", when(e->next_try, text));
	if (left <= 0)
		printf(" (due)\n");
	else
		printf(" (in %lldh%02lldm%02llds)\n", (long long)(left / 3600),
		       (long long)(left / 60 % 60), (long long)(left % 60));
}

void postqueue_print(const struct listing_entry *e, bool details)
{
	const char *mark = slice_eq(e->queue_name, SL("active")) ? "*"
			   : slice_eq(e->queue_name, SL("hold")) ? "!"
								 : "";
	char text[32], id[80];

	snprintf(id, sizeof(id), "%.*s%s%s", (int)(e->queue_id.n < 64 ? e->queue_id.n : 64),
		 e->queue_id.p, mark, e->forced_expire ? "#" : "");
	printf("%-17s %8llu %19.19s ", id, (unsigned long long)e->size, when(e->time, text));
	postqueue_put_text(e->sender);
	putchar('\n');
	if (details)
		print_next_try(e);
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

void postqueue_print_json(const struct listing_entry *e)
{
	printf("{\"queue_name\": ");
	put_json(e->queue_name);
	printf(", \"queue_id\": ");
	put_json(e->queue_id);
	printf(", \"arrival_time\": %lld, \"message_size\": %llu, \"forced_expire\": %s, ",
	       (long long)e->time, (unsigned long long)e->size, e->forced_expire ? "true" : "false");
	if (e->next_try != 0)
		printf("\"next_try_time\": %lld, ", (long long)e->next_try);
	printf("\"sender\": ");
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
