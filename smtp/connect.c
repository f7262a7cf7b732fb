/* SPDX-License-Identifier: ISC */
/* connect - a connection to one address. */
#include "base/ip.h"
#include "log/events.h"
#include "os/address.h"
#include "smtp/session.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>

/* source_address - smtp_bind_address, smtp_bind_address6; false: none is set for this family. */
static bool source_address(const struct client_conf *conf, const struct ip_addr *to,
			   struct os_addr *out, struct slice *text)
{
	struct ip_addr ip;

	*text = slice_trim(to->bits == 128 ? conf->bind_address6 : conf->bind_address);
	if (text->n == 0)
		return false;
	if (!ip_parse_bracketed(*text, &ip) || ip.bits != to->bits) {
		log_warning_text("bad bind address: %.*s", SL_ARG(*text));
		return false;
	}
	os_addr_inet(&ip, 0, out);
	return true;
}

static int64_t connect_deadline(const struct client_conf *conf)
{
	return conf->connect_timeout > 0 ? os_deadline(conf->connect_timeout) : OS_NEVER;
}

static int connect_inet(const struct client_conf *conf, const struct target *target,
			const struct os_addr *to)
{
	struct os_addr from;
	struct slice text;
	bool bound = source_address(conf, &target->addr, &from, &text);
	int fd = fiber_connect(to, bound ? &from : NULL, connect_deadline(conf), "connection");

	if (fd >= 0 || !bound || (errno != EADDRNOTAVAIL && errno != EACCES && errno != EINVAL))
		return fd;
	log_warning_text("bind %.*s: %s", SL_ARG(text), strerror(errno));
	if (conf->bind_enforce)
		return -1;
	return fiber_connect(to, NULL, connect_deadline(conf), "connection");
}

static struct failure connect_failure(const struct client_conf *conf, const struct target *target,
				      struct arena *arena, int error)
{
	bool local = target->addr.bits == 0;
	struct slice host = local ? conf->settings->myhostname : target->host;
	char text[IP_TEXT_SIZE];
	struct slice addr = local ? target->host : ip_format(&target->addr, text);
	const char *why = strerror(error);
	struct failure f;

	if (local)
		f = failure_make(arena, "4.4.1", "connect to %.*s[%.*s]: %s", SL_ARG(host), SL_ARG(addr),
				 why);
	else
		f = failure_make(arena, "4.4.1", "connect to %.*s[%.*s]:%u: %s", SL_ARG(host),
				 SL_ARG(addr), target->port, why);
	if (local)
		log_info_text("%.*s", SL_ARG(f.text));
	else
		LOG(connect_failed, .name = host, .addr = addr, .port = target->port,
		    .reason = slice_str(why));
	f.destination = true;
	return f;
}

/* send_at_once - the dot must not wait until the content before it is acknowledged (RFC 896). */
static void send_at_once(int fd)
{
	int on = 1;

	(void)os_setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

int target_connect(const struct client_conf *conf, const struct target *target, struct arena *arena,
		   struct failure *failure)
{
	struct os_addr to;
	int fd;

	if (target->addr.bits != 0) {
		os_addr_inet(&target->addr, target->port, &to);
		fd = connect_inet(conf, target, &to);
	} else if (os_addr_unix(target->host, &to)) {
		fd = fiber_connect(&to, NULL, connect_deadline(conf), "connection");
	} else {
		fd = -1;
		errno = ENAMETOOLONG;
	}
	if (fd < 0)
		*failure = connect_failure(conf, target, arena, errno);
	else if (target->addr.bits != 0)
		send_at_once(fd);
	return fd;
}
