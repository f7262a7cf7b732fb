/* SPDX-License-Identifier: ISC */
/* sessions - accepting connections and keeping account of them. */
#include "base/check.h"
#include "daemon/run.h"
#include "log/events.h"
#include "os/file.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

#define ACCEPT_PAUSE (100 * OS_MILLISECOND)

static void describe_peer(struct daemon_session *s)
{
	const struct sockaddr_storage *ss = &s->peer.ss;
	char host[INET6_ADDRSTRLEN] = "?";
	pid_t pid;
	uid_t uid;
	gid_t gid;

	if (ss->ss_family == AF_INET) {
		const struct sockaddr_in *sin = (const struct sockaddr_in *)ss;

		inet_ntop(AF_INET, &sin->sin_addr, host, sizeof(host));
		snprintf(s->peer_text, sizeof(s->peer_text), "[%s]:%u", host, ntohs(sin->sin_port));
	} else if (ss->ss_family == AF_INET6) {
		const struct sockaddr_in6 *sin6 = (const struct sockaddr_in6 *)ss;

		inet_ntop(AF_INET6, &sin6->sin6_addr, host, sizeof(host));
		snprintf(s->peer_text, sizeof(s->peer_text), "[%s]:%u", host,
			 ntohs(sin6->sin6_port));
	} else if (os_peer_cred(s->fd, &pid, &uid, &gid) == 0) {
		snprintf(s->peer_text, sizeof(s->peer_text), "pid=%d uid=%u", (int)pid,
			 (unsigned)uid);
	}
}

static void session_ended(struct daemon_run *run, struct daemon_session *s)
{
	list_remove(&s->link);
	run->session_count--;
	run->idle_since = os_now();
	if (run->row->kind == KIND_POOL && !run->draining)
		daemon_tell_master(run, 'I');
	fiber_set_state("");
	free(s);
	fiber_cond_broadcast(&run->changed);
}

static void session_fiber(void *arg)
{
	struct daemon_session *s = arg;
	struct daemon_run *run = s->context->run;

	s->fiber = fiber_self();
	fiber_set_peer(slice_str(s->peer_text));
	fiber_set_state(s->note);
	run->daemon->session(s->context, s);
	session_ended(run, s);
}

static void session_begin(struct acceptor *a, int fd, const struct os_addr *peer)
{
	struct daemon_run *run = a->run;
	struct daemon_session *s = calloc(1, sizeof(*s));

	if (s == NULL)
		out_of_memory();
	s->fd = fd;
	s->peer = *peer;
	s->listener = a->index;
	s->since = os_now();
	s->serial = ++run->serial;
	s->context = run->context;
	describe_peer(s);
	s->fiber = fiber_spawn("session", session_fiber, s);
	if (s->fiber == NULL) {
		os_close(fd);
		free(s);
		return;
	}
	list_push_back(&run->sessions, &s->link);
	run->session_count++;
	if (run->row->kind == KIND_POOL)
		daemon_tell_master(run, 'B');
}

/* out_of_descriptors - the backlog waits until something has ended, or a moment has passed. */
static bool out_of_descriptors(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

static bool used_up(const struct daemon_run *run)
{
	int max_use = run->context->settings->max_use;

	return run->row->kind == KIND_POOL && max_use > 0 && run->serial >= (uint64_t)max_use;
}

/* wait_for_room - false when no more will be accepted. */
static bool wait_for_room(struct daemon_run *run)
{
	while (!run->draining && run->session_count >= run->most_sessions)
		if (fiber_cond_wait(&run->changed, OS_NEVER, "room for a session") < 0)
			return false;
	if (!run->draining && used_up(run))
		daemon_begin_drain(run);
	return !run->draining;
}

static void accept_connections(struct acceptor *a)
{
	while (wait_for_room(a->run)) {
		struct os_addr peer;
		int fd = fiber_accept(&a->fd, &peer, OS_NEVER, "a connection");

		if (fd >= 0)
			session_begin(a, fd, &peer);
		else if (errno == ECANCELED)
			return;
		else if (out_of_descriptors(errno))
			fiber_sleep(os_deadline(ACCEPT_PAUSE), "descriptors");
		else if (fiber_sleep(os_deadline(ACCEPT_PAUSE), "accept") < 0)
			return;
	}
}

static void acceptor_fiber(void *arg)
{
	struct acceptor *a = arg;

	if (a->run->daemon->datagrams != NULL) {
		int fd = fiber_fd_release(&a->fd);

		a->run->daemon->datagrams(a->run->context, fd);
	} else {
		accept_connections(a);
		fiber_fd_close(&a->fd);
	}
	a->fiber = NULL;
	fiber_cond_broadcast(&a->run->changed);
}

void daemon_accept_all(struct daemon_run *run)
{
	for (size_t i = 0; i < run->acceptor_count; i++) {
		struct acceptor *a = &run->acceptors[i];

		a->run = run;
		a->index = (int)i;
		fiber_fd_init_listener(&a->fd, LISTENER_FD + (int)i);
		a->fiber = fiber_spawn("acceptor", acceptor_fiber, a);
		if (a->fiber == NULL)
			run->failed = true;
	}
}

void daemon_sessions_cancel(struct daemon_run *run, bool only_idle)
{
	LIST_FOREACH(node, &run->sessions) {
		struct daemon_session *s = CONTAINER_OF(node, struct daemon_session, link);

		if (!only_idle || s->idle)
			fiber_cancel(s->fiber);
	}
}

void daemon_session_note(struct daemon_session *session, struct slice note)
{
	size_t n = note.n < sizeof(session->note) ? note.n : sizeof(session->note) - 1;

	for (size_t i = 0; i < n; i++)
		session->note[i] = ascii_isprint(note.p[i]) ? note.p[i] : '?';
	session->note[n] = '\0';
}

void daemon_session_idle(struct daemon_session *session, bool idle)
{
	session->idle = idle;
	if (idle && session->context->run->draining)
		fiber_cancel(session->fiber);
}

size_t daemon_session_count(const struct daemon_context *context)
{
	return context->run->session_count;
}
