/* SPDX-License-Identifier: ISC */
#include "base/check.h"
#include "master/master.h"
#include "os/file.h"
#include "os/process.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#define LISTEN_BACKLOG 1024 /* the kernel cuts it to net.core.somaxconn */
#define BIND_ATTEMPTS 25
#define BIND_PAUSE (200 * OS_MILLISECOND)

/* The addresses that a service should listen on, as they are found. */
struct wanted {
	struct master *master;
	struct service *service;
	struct arena *arena;
	struct slice *problem;
	enum result result;
};

static void complain(struct wanted *w, const char *what, const char *why)
{
	const struct master_service *cf = w->service->cf;

	*w->problem = arena_printf(w->arena, "service %.*s %s: %s: %s", SL_ARG(cf->name),
				   service_type_name(cf->type), what, why);
	w->result = RES_TEMP;
}

static bool same_address(const struct os_addr *a, const struct os_addr *b)
{
	return a->len == b->len && memcmp(&a->ss, &b->ss, a->len) == 0;
}

static struct listener *add_listener(struct service *s)
{
	struct listener *more =
	    realloc(s->listeners, (s->listener_count + 1) * sizeof(*s->listeners));
	struct listener *l;

	if (more == NULL)
		out_of_memory();
	s->listeners = more;
	l = &more[s->listener_count++];
	*l = (struct listener){.watch = {WATCH_LISTENER}, .service = s, .fd = -1, .wanted = true};
	return l;
}

static void close_listener(struct master *m, struct listener *l)
{
	if (l->watched)
		os_poll_remove(m->poller, l->fd);
	l->watched = false;
	os_close(l->fd);
	if (l->path != NULL) {
		os_act_as(m->accounts.owner_uid, m->accounts.owner_gid);
		os_unlinkat(AT_FDCWD, l->path, 0);
		os_act_as(0, 0);
	}
	free(l->path);
}

/* bind_patiently - at start: the processes of a master that was killed may need a moment to let go. */
static int bind_patiently(const struct master *m, int fd, const struct os_addr *addr)
{
	struct os_event none;

	for (int attempt = 1;; attempt++) {
		if (os_bind(fd, addr) == 0)
			return 0;
		if (errno != EADDRINUSE || !m->starting || attempt == BIND_ATTEMPTS)
			return -1;
		os_poll_wait(m->pause, &none, 1, os_deadline(BIND_PAUSE));
	}
}

static int bind_inet(const struct master *m, const struct os_addr *addr)
{
	int fd = os_socket(addr->ss.ss_family, SOCK_STREAM, 0);
	int on = 1;

	if (fd < 0)
		return -1;
	os_setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (addr->ss.ss_family == AF_INET6)
		os_setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (bind_patiently(m, fd, addr) < 0 || os_listen(fd, LISTEN_BACKLOG) < 0) {
		int saved = errno;

		os_close(fd);
		errno = saved;
		return -1;
	}
	return fd;
}

/* want_address - keep the socket that is there, or bind one. */
static void want_address(struct wanted *w, const struct os_addr *addr)
{
	struct service *s = w->service;
	char host[NI_MAXHOST] = "?", port[NI_MAXSERV] = "?";
	struct listener *l;
	int fd;

	for (size_t i = 0; i < s->listener_count; i++) {
		if (!same_address(&s->listeners[i].addr, addr))
			continue;
		s->listeners[i].wanted = true;
		return;
	}
	fd = bind_inet(w->master, addr);
	if (fd < 0) {
		int saved = errno;

		getnameinfo((const struct sockaddr *)&addr->ss, addr->len, host, sizeof(host), port,
			    sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV);
		complain(w, arena_printf(w->arena, "bind %s port %s", host, port).p,
			 strerror(saved));
		return;
	}
	l = add_listener(s);
	l->fd = fd;
	l->addr = *addr;
}

static bool protocol_wanted(const struct settings *settings, const char *protocol)
{
	struct slice rest = settings->inet_protocols, word;

	while (settings_next_word(&rest, &word))
		if (slice_caseeq(word, slice_str(protocol)) || slice_caseeq(word, SL("all")))
			return true;
	return false;
}

static bool family_wanted(const struct settings *settings, int family)
{
	return (family == AF_INET && protocol_wanted(settings, "ipv4")) ||
	       (family == AF_INET6 && protocol_wanted(settings, "ipv6"));
}

/* family_here - "all" on a machine without IPv6 is no error. */
static bool family_here(int family)
{
	int fd = os_socket(family, SOCK_STREAM, 0);

	if (fd < 0)
		return false;
	os_close(fd);
	return true;
}

static void want_host(struct wanted *w, const char *host, const char *port)
{
	const struct settings *settings = w->master->conf->settings;
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
	struct addrinfo *found = NULL;
	int rc = getaddrinfo(host, port, &hints, &found);
	size_t count = 0;

	if (rc != 0) {
		complain(w, host != NULL ? host : port, gai_strerror(rc));
		return;
	}
	for (const struct addrinfo *ai = found; ai != NULL; ai = ai->ai_next) {
		struct os_addr addr = {.len = ai->ai_addrlen};

		if (!family_wanted(settings, ai->ai_family) || !family_here(ai->ai_family))
			continue;
		memcpy(&addr.ss, ai->ai_addr, ai->ai_addrlen);
		want_address(w, &addr);
		count++;
	}
	freeaddrinfo(found);
	if (count == 0)
		complain(w, host != NULL ? host : port, "no address that inet_protocols allows");
}

static void want_inet(struct wanted *w)
{
	const struct master_service *cf = w->service->cf;
	const struct settings *settings = w->master->conf->settings;
	const char *port = arena_str(w->arena, cf->port);
	struct slice rest = settings->inet_interfaces, word;

	if (cf->host.n > 0) {
		want_host(w, arena_str(w->arena, cf->host), port);
		return;
	}
	while (settings_next_word(&rest, &word)) {
		word = slice_trim(word);
		if (word.n > 2 && word.p[0] == '[' && word.p[word.n - 1] == ']')
			word = slice_sub(word, 1, word.n - 1);
		if (slice_caseeq(word, SL("all"))) {
			want_host(w, NULL, port);
		} else if (slice_caseeq(word, SL("loopback-only"))) {
			if (family_wanted(settings, AF_INET))
				want_host(w, "127.0.0.1", port);
			if (family_wanted(settings, AF_INET6) && family_here(AF_INET6))
				want_host(w, "::1", port);
		} else {
			want_host(w, arena_str(w->arena, word), port);
		}
	}
}

/* bind_unix - a path below $queue_directory, which is the working directory; made as its owner. */
static int bind_unix(const struct master *m, const char *path, enum service_type type)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	struct os_addr addr = {.len = sizeof(sun)};
	bool dgram = type == SERVICE_UNIX_DGRAM;
	size_t n = strlen(path);
	int fd, rc;
	mode_t mask;

	if (n >= sizeof(sun.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(sun.sun_path, path, n);
	memcpy(&addr.ss, &sun, sizeof(sun));
	fd = os_socket(AF_UNIX, dgram ? SOCK_DGRAM : SOCK_STREAM, 0);
	if (fd < 0)
		return -1;
	os_act_as(m->accounts.owner_uid, m->accounts.owner_gid);
	os_unlinkat(AT_FDCWD, path, 0);
	mask = os_umask(0111); /* who may enter the folder may connect */
	rc = os_bind(fd, &addr);
	os_umask(mask);
	if (rc == 0 && !dgram)
		rc = os_listen(fd, LISTEN_BACKLOG);
	if (rc < 0) {
		int saved = errno;

		os_close(fd);
		fd = -1;
		errno = saved;
	}
	os_act_as(0, 0);
	return fd;
}

static void want_unix(struct wanted *w)
{
	struct service *s = w->service;
	struct slice path = arena_printf(w->arena, "%s/%.*s", s->cf->private ? "private" : "public",
					 SL_ARG(s->name));
	struct listener *l;
	int fd;

	for (size_t i = 0; i < s->listener_count; i++) {
		if (s->listeners[i].path == NULL || strcmp(s->listeners[i].path, path.p) != 0)
			continue;
		s->listeners[i].wanted = true;
		return;
	}
	fd = bind_unix(w->master, path.p, s->type);
	if (fd < 0) {
		complain(w, path.p, strerror(errno));
		return;
	}
	l = add_listener(s);
	l->fd = fd;
	l->path = strdup(path.p);
	if (l->path == NULL)
		out_of_memory();
}

static void close_unwanted(struct master *m, struct service *s)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->listener_count; i++) {
		if (s->listeners[i].wanted)
			s->listeners[kept++] = s->listeners[i];
		else
			close_listener(m, &s->listeners[i]);
	}
	s->listener_count = kept;
}

enum result listeners_bind(struct master *m, struct service *s, struct arena *arena,
			   struct slice *problem)
{
	struct wanted w = {m, s, arena, problem, RES_OK};

	/* the array may move: nobody may hold pointers into it */
	listeners_watch(m, s, false);
	for (size_t i = 0; i < s->listener_count; i++)
		s->listeners[i].wanted = false;
	if (s->type == SERVICE_INET)
		want_inet(&w);
	else if (s->type == SERVICE_UNIX || s->type == SERVICE_UNIX_DGRAM || s->type == SERVICE_PASS)
		want_unix(&w);
	else
		complain(&w, "type", "not supported");
	close_unwanted(m, s);
	return w.result;
}

void listeners_close(struct master *m, struct service *s)
{
	for (size_t i = 0; i < s->listener_count; i++)
		close_listener(m, &s->listeners[i]);
	free(s->listeners);
	s->listeners = NULL;
	s->listener_count = 0;
}

void listeners_watch(struct master *m, struct service *s, bool on)
{
	for (size_t i = 0; i < s->listener_count; i++) {
		struct listener *l = &s->listeners[i];

		if (l->watched == on)
			continue;
		if (on)
			l->watched = os_poll_add(m->poller, l->fd, OS_READABLE, &l->watch) == 0;
		else
			l->watched = os_poll_remove(m->poller, l->fd) != 0;
	}
}
