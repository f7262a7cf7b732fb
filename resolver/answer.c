/* SPDX-License-Identifier: ISC */
#include "resolver/answer.h"
#include "base/check.h"
#include "dns/dns.h"
#include "ipc/resolver.h"
#include "log/events.h"
#include "resolver/hosts.h"
#include "resolver/rdata.h"

#include <errno.h>
#include <stdlib.h>
#include <unbound.h>

#define QUERY_LIMIT (30 * OS_SECOND)
#define SEND_LIMIT (10 * OS_SECOND)
#define IN_FLIGHT_MAX 1000
#define RECORDS_MAX 512
#define HOSTS_MAX 16
#define HOSTS_TTL 60
#define PROBE_PAUSE (600 * OS_SECOND)
#define CLASS_IN 1
#define TYPE_DNSKEY 48
#define RCODE_NXDOMAIN 3

/* One libunbound context, and the fiber that takes its answers. */
struct unbound {
	struct ub_ctx *ctx;
	struct fiber_fd fd;
	struct fiber *taker;
};

struct resolver {
	struct unbound plain;
	struct unbound validating; /* ctx NULL: no trust anchors */
	bool validation_works;
	struct arena *arena;
	struct hosts *hosts;
	int64_t query_limit;
	struct fiber_sem room;
	struct fiber *prober;
	size_t in_flight;
	uint64_t answered;
	uint64_t failed;
};

/* ---- set-up */

static int set_options(struct ub_ctx *ctx, bool validate)
{
	static const char *const options[][2] = {
	    {"use-syslog:", "no"},	     {"do-not-query-localhost:", "no"},
	    {"unblock-lan-zones:", "yes"},   {"insecure-lan-zones:", "yes"},
	    {"msg-cache-size:", "16m"},	     {"rrset-cache-size:", "32m"},
	    {"num-queries-per-thread:", "2048"}};

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		int error = ub_ctx_set_option(ctx, options[i][0], options[i][1]);

		if (error != 0)
			return error;
	}
	return ub_ctx_set_option(ctx, "module-config:",
				 validate ? "validator iterator" : "iterator");
}

static int set_forwarders(struct ub_ctx *ctx, const struct resolver_options *options,
			  struct arena *arena)
{
	struct slice rest = options->forwarders;
	struct slice word;
	bool any = false;
	int error = 0;

	while (error == 0 && slice_next(&rest, " \t\r\n,", &word)) {
		error = ub_ctx_set_fwd(ctx, arena_str(arena, word));
		any = true;
	}
	if (!any && options->resolv_conf != NULL)
		error = ub_ctx_resolvconf(ctx, options->resolv_conf);
	return error;
}

/* add_anchors - libunbound would read a file at its first query, when the sandbox is closed. */
static int add_anchors(struct ub_ctx *ctx, struct slice text, struct arena *arena)
{
	struct slice line;
	int error = 0;

	while (error == 0 && slice_next(&text, "\n", &line)) {
		ssize_t comment = slice_find(line, ';');

		if (comment >= 0)
			line = slice_sub(line, 0, (size_t)comment);
		line = slice_trim(line);
		if (line.n > 0)
			error = ub_ctx_add_ta(ctx, arena_str(arena, line));
	}
	return error;
}

static int make_context(const struct resolver_options *options, bool validate,
			struct arena *arena, struct ub_ctx **ctx)
{
	int error;

	*ctx = ub_ctx_create();
	if (*ctx == NULL)
		return UB_NOMEM;
	ub_ctx_debuglevel(*ctx, 0);
	error = set_options(*ctx, validate);
	if (error == 0)
		error = set_forwarders(*ctx, options, arena);
	if (error == 0 && validate)
		error = add_anchors(*ctx, options->anchors, arena);
	if (error == 0)
		error = ub_ctx_async(*ctx, 1);
	/* Makes libunbound read its settings now, which takes files and more stack than a fiber has,
	 * rather than at the first query. The name never resolves anyhow (RFC 6761 6.4). */
	if (error == 0)
		error = ub_ctx_zone_add(*ctx, "invalid", "static");
	if (error != 0) {
		ub_ctx_delete(*ctx);
		*ctx = NULL;
	}
	return error;
}

enum result resolver_create(const struct resolver_options *options, struct resolver **out,
			    const char **problem)
{
	struct resolver *r = calloc(1, sizeof(*r));
	int error;

	*out = NULL;
	if (r == NULL)
		out_of_memory();
	r->arena = arena_create();
	r->hosts = hosts_parse(options->hosts, r->arena);
	r->query_limit = options->query_limit > 0 ? options->query_limit : QUERY_LIMIT;
	fiber_sem_init(&r->room, IN_FLIGHT_MAX);
	error = make_context(options, false, r->arena, &r->plain.ctx);
	if (error == 0 && options->anchors.n > 0)
		error = make_context(options, true, r->arena, &r->validating.ctx);
	if (error != 0) {
		*problem = ub_strerror(error);
		resolver_destroy(&r);
		return RES_TEMP;
	}
	*out = r;
	return RES_OK;
}

void resolver_destroy(struct resolver **resolver)
{
	struct resolver *r = *resolver;

	if (r == NULL)
		return;
	if (r->plain.ctx != NULL)
		ub_ctx_delete(r->plain.ctx);
	if (r->validating.ctx != NULL)
		ub_ctx_delete(r->validating.ctx);
	arena_destroy(&r->arena);
	free(r);
	*resolver = NULL;
}

/* ---- asking libunbound */

struct job {
	struct fiber_cond cond;
	bool done;
	int error;
	struct ub_result *result;
};

/* job_done - called by ub_process, in the taker's fiber. */
static void job_done(void *arg, int error, struct ub_result *result)
{
	struct job *job = arg;

	job->done = true;
	job->error = error;
	job->result = result;
	fiber_cond_signal(&job->cond);
}

static void take_answers(void *arg)
{
	struct unbound *u = arg;

	do {
		fiber_fd_blocked(&u->fd, OS_READABLE);
		ub_process(u->ctx);
	} while (fiber_wait_fd(&u->fd, OS_READABLE, OS_NEVER, "DNS answers") == 0);
	fiber_fd_release(&u->fd); /* it is libunbound's */
}

static void start_taker(struct unbound *u)
{
	if (u->ctx == NULL)
		return;
	fiber_fd_init(&u->fd, ub_fd(u->ctx));
	u->taker = fiber_spawn_joinable("dns-answers", take_answers, u);
}

/* ask - wait for the answer; *result is to be freed. False when there is none, with a reason. */
static bool ask(struct unbound *u, const char *name, int type, int64_t deadline,
		struct ub_result **result, const char **why)
{
	struct job job = {0};
	int id = 0;
	int error;

	fiber_cond_init(&job.cond);
	error = ub_resolve_async(u->ctx, name, type, CLASS_IN, &job, job_done, &id);
	if (error != 0) {
		*why = ub_strerror(error);
		return false;
	}
	while (!job.done)
		if (fiber_cond_wait(&job.cond, deadline, "DNS") < 0 && !job.done) {
			ub_cancel(u->ctx, id);
			*why = "query timed out";
			return false;
		}
	*result = job.result;
	*why = job.error != 0 ? ub_strerror(job.error) : NULL;
	return job.error == 0;
}

/* probe - do the forwarders pass on what validation needs? The root's keys tell. */
static void probe(void *arg)
{
	struct resolver *r = arg;

	do {
		struct ub_result *result = NULL;
		const char *why;

		if (ask(&r->validating, ".", TYPE_DNSKEY, os_deadline(r->query_limit), &result, &why))
			r->validation_works = result->secure != 0;
		ub_resolve_free(result);
	} while (fiber_sleep(os_deadline(PROBE_PAUSE), "next DNSSEC probe") == 0);
}

void resolver_start(struct resolver *r)
{
	start_taker(&r->plain);
	start_taker(&r->validating);
	if (r->validating.ctx != NULL)
		r->prober = fiber_spawn_joinable("dnssec-probe", probe, r);
}

static void stop_fiber(struct fiber **f)
{
	if (*f == NULL)
		return;
	fiber_cancel(*f);
	while (fiber_join(*f, OS_NEVER, "stop") < 0)
		fiber_uncancel();
	*f = NULL;
}

void resolver_stop(struct resolver *r)
{
	stop_fiber(&r->prober);
	stop_fiber(&r->plain.taker);
	stop_fiber(&r->validating.taker);
}

/* ---- one query */

static void answer_temporary(struct resolver_dns_answer *answer, struct slice why)
{
	answer->status = RESOLVER_STATUS_TEMPFAIL;
	answer->why = why;
}

static void convert_records(const struct ub_result *result, uint16_t type, struct arena *arena,
			    struct resolver_dns_answer *answer)
{
	struct resolver_answer_record *records;
	size_t n = 0;

	while (result->data[n] != NULL && n < RECORDS_MAX)
		n++;
	records = ARENA_ARRAY(arena, n + 1, struct resolver_answer_record);
	answer->records = records;
	for (size_t i = 0; i < n; i++) {
		struct slice rdata = slice(result->data[i], (size_t)result->len[i]);

		if (rdata_convert(type, rdata, arena, &records[answer->records_count]))
			answer->records_count++;
	}
	answer->status = answer->records_count > 0 ? RESOLVER_STATUS_FOUND : RESOLVER_STATUS_NODATA;
}

static void convert_result(const struct ub_result *result, uint16_t type, struct arena *arena,
			   struct resolver_dns_answer *answer)
{
	struct slice canonical = slice_str(result->canonname);

	if (canonical.n > 1 && canonical.p[canonical.n - 1] == '.')
		canonical.n--;
	if (query_name_valid(canonical))
		answer->canonical = canonical;
	answer->validated = result->secure != 0;
	answer->ttl = result->ttl > 0 ? (uint32_t)result->ttl : 0;
	if (result->bogus)
		answer_temporary(answer, arena_printf(arena, "DNSSEC validation failure: %s",
						      result->why_bogus != NULL ? result->why_bogus
										: "bogus"));
	else if (result->havedata)
		convert_records(result, type, arena, answer);
	else if (result->nxdomain || result->rcode == RCODE_NXDOMAIN)
		answer->status = RESOLVER_STATUS_NXDOMAIN;
	else if (result->rcode == 0)
		answer->status = RESOLVER_STATUS_NODATA;
	else
		answer_temporary(answer, arena_printf(arena, "DNS server failure, rcode %d",
						      result->rcode));
}

/* from_hosts - true when /etc/hosts has the answer. */
static bool from_hosts(const struct resolver *r, const struct resolver_dns_query *query,
		       struct arena *arena, struct resolver_dns_answer *answer)
{
	struct ip_addr *found = ARENA_ARRAY(arena, HOSTS_MAX, struct ip_addr);
	struct resolver_answer_record *records =
	    ARENA_ARRAY(arena, HOSTS_MAX, struct resolver_answer_record);
	struct ip_addr ip;
	size_t n = 0;

	if (query->type == DNS_TYPE_A)
		n = hosts_addresses(r->hosts, query->name, 32, found, HOSTS_MAX);
	else if (query->type == DNS_TYPE_AAAA)
		n = hosts_addresses(r->hosts, query->name, 128, found, HOSTS_MAX);
	else if (query->type == DNS_TYPE_PTR && ip_from_reverse(query->name, &ip))
		records[0].data = hosts_name(r->hosts, &ip);
	for (size_t i = 0; i < n; i++)
		records[i].data = slice(found[i].bytes, found[i].bits / 8);
	if (records[0].data.n > 0 && n == 0)
		n = 1;
	answer->status = RESOLVER_STATUS_FOUND;
	answer->ttl = HOSTS_TTL;
	answer->records = records;
	answer->records_count = n;
	return n > 0;
}

/* A client. The last of its fibers to end frees it. */
struct client {
	struct resolver *resolver;
	struct ipc_conn *conn;
	struct fiber_mutex sending;
	size_t users;
	bool closed;
};

struct request {
	struct client *client;
	struct arena *arena;
	struct resolver_dns_query query;
};

static void leave(struct client *client)
{
	if (--client->users > 0)
		return;
	ipc_conn_close(&client->conn);
	free(client);
}

static void send_answer(struct client *client, const struct resolver_dns_answer *answer)
{
	int64_t deadline = os_deadline(SEND_LIMIT);
	enum ipc_status status = IPC_LOST;

	if (client->closed || fiber_mutex_lock(&client->sending, deadline, "client") < 0)
		return;
	if (!client->closed)
		status = resolver_dns_answer_send(client->conn, answer, deadline);
	if (status == IPC_REFUSED) {
		struct resolver_dns_answer refused = {.id = answer->id};

		answer_temporary(&refused, SL("answer too large"));
		status = resolver_dns_answer_send(client->conn, &refused, deadline);
	}
	if (status != IPC_OK)
		client->closed = true;
	fiber_mutex_unlock(&client->sending);
}

static void resolve(const struct request *q, struct resolver_dns_answer *answer,
		    struct ub_result **result)
{
	struct resolver *r = q->client->resolver;
	struct unbound *u = r->validation_works ? &r->validating : &r->plain;
	int64_t deadline = os_deadline(r->query_limit);
	const char *why;

	if (!query_name_valid(q->query.name)) {
		answer->status = RESOLVER_STATUS_INVALID;
		answer->why = SL("not a domain name");
	} else if (q->query.hosts && from_hosts(r, &q->query, q->arena, answer)) {
		return;
	} else if (ask(u, arena_str(q->arena, q->query.name), q->query.type, deadline, result,
		       &why)) {
		convert_result(*result, q->query.type, q->arena, answer);
	} else {
		answer_temporary(answer, slice_str(why));
	}
}

static void run_request(void *arg)
{
	struct request *q = arg;
	struct client *client = q->client;
	struct resolver *r = client->resolver;
	struct resolver_dns_answer answer = {.id = q->query.id};
	struct ub_result *result = NULL;
	struct arena *arena = q->arena;

	resolve(q, &answer, &result);
	r->answered++;
	r->failed += answer.status == RESOLVER_STATUS_TEMPFAIL;
	send_answer(client, &answer);
	ub_resolve_free(result);
	arena_destroy(&arena);
	r->in_flight--;
	fiber_sem_give(&r->room);
	leave(client);
}

/* start_request - takes the arena over when it succeeds. */
static bool start_request(struct client *client, struct arena *arena,
			  const struct resolver_dns_query *query)
{
	struct resolver *r = client->resolver;
	struct request *q = ARENA_NEW(arena, struct request);

	*q = (struct request){client, arena, *query};
	if (fiber_sem_take(&r->room, OS_NEVER, "room for a query") < 0)
		return false;
	r->in_flight++;
	client->users++;
	if (fiber_spawn("query", run_request, q) != NULL)
		return true;
	client->users--;
	r->in_flight--;
	fiber_sem_give(&r->room);
	return false;
}

void resolver_serve(struct resolver *r, int fd)
{
	struct client *client = calloc(1, sizeof(*client));

	if (client == NULL)
		out_of_memory();
	client->resolver = r;
	client->conn = ipc_conn_create(fd);
	client->users = 1;
	fiber_mutex_init(&client->sending);
	ipc_conn_set_why(client->conn, "queries");
	while (!client->closed) {
		struct arena *arena = arena_create();
		struct resolver_dns_query query;

		if (ipc_expect(client->conn, &resolver_dns_query_message, arena, &query,
			       OS_NEVER) != IPC_OK ||
		    !start_request(client, arena, &query)) {
			arena_destroy(&arena);
			break;
		}
	}
	client->closed = true;
	leave(client);
}

void resolver_status(const struct resolver *r, struct buffer *out)
{
	buffer_printf(out, "queries in flight: %zu, answered: %llu, temporary failures: %llu\n",
		      r->in_flight, (unsigned long long)r->answered, (unsigned long long)r->failed);
	buffer_printf(out, "DNSSEC: %s\n",
		      r->validating.ctx == NULL ? "no trust anchors"
		      : r->validation_works	? "validating"
						: "the forwarders do not pass it on");
}
