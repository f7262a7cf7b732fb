/* SPDX-License-Identifier: ISC */
/* resolver - every DNS question of the suite, asked from one confined process. resolver(8) */
#include "config/settings.h"
#include "daemon/daemon.h"
#include "log/events.h"
#include "os/file.h"
#include "resolver/answer.h"

#define HOSTS_FILE "/etc/hosts"
#define RESOLV_CONF "/etc/resolv.conf"
#define FILE_LIMIT ((size_t)1 << 20)

/* Where distributions keep the root's trust anchor. */
static const char *const anchor_files[] = {"/usr/share/dns/root.key", "/var/lib/unbound/root.key",
					   "/etc/unbound/root.key"};

/* read_file - the text of a small file; absent when it cannot be read. */
static struct slice read_file(const char *path, struct arena *arena)
{
	int fd = os_openat(AT_FDCWD, path, O_RDONLY, 0);
	struct slice text = SL_NULL;
	struct stat st;
	ssize_t n;

	if (fd < 0)
		return SL_NULL;
	if (os_fstat(fd, &st) == 0 && st.st_size >= 0 && (size_t)st.st_size <= FILE_LIMIT) {
		char *room = arena_alloc(arena, (size_t)st.st_size + 1);

		n = os_read_full(fd, room, (size_t)st.st_size);
		if (n >= 0)
			text = slice(room, (size_t)n);
	}
	os_close(fd);
	return text;
}

static struct slice read_anchors(struct arena *arena)
{
	struct slice text = SL_NULL;

	for (size_t i = 0; text.n == 0 && i < sizeof(anchor_files) / sizeof(anchor_files[0]); i++)
		text = read_file(anchor_files[i], arena);
	return text;
}

static enum result resolver_daemon_open(struct daemon_context *context)
{
	struct resolver_options options = {
	    .forwarders = context->settings->resolver_forwarders,
	    .resolv_conf = RESOLV_CONF,
	    .hosts = read_file(HOSTS_FILE, context->arena),
	    .anchors = read_anchors(context->arena),
	};
	struct resolver *resolver;
	const char *problem = "";
	enum result rc = resolver_create(&options, &resolver, &problem);

	if (rc != RES_OK)
		LOG(service_problem, .service = SL("libunbound"), .problem = slice_str(problem));
	context->state = resolver;
	return rc;
}

static void resolver_daemon_start(struct daemon_context *context)
{
	resolver_start(context->state);
}

static void resolver_daemon_session(struct daemon_context *context, struct daemon_session *session)
{
	/* may be ended at a drain: a client asks again what was in flight */
	daemon_session_idle(session, true);
	resolver_serve(context->state, session->fd);
}

static void resolver_daemon_status(struct daemon_context *context, struct buffer *out)
{
	resolver_status(context->state, out);
}

static const struct daemon resolver_daemon = {
    .name = "resolver",
    .open = resolver_daemon_open,
    .start = resolver_daemon_start,
    .session = resolver_daemon_session,
    .status = resolver_daemon_status,
};

int main(int argc, char **argv)
{
	return daemon_main(argc, argv, &resolver_daemon);
}
