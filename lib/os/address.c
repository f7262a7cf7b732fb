/* SPDX-License-Identifier: ISC */
#include "os/address.h"

#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/un.h>

void os_addr_inet(const struct ip_addr *ip, uint16_t port, struct os_addr *out)
{
	struct sockaddr_in *in = (struct sockaddr_in *)&out->ss;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&out->ss;

	memset(out, 0, sizeof(*out));
	if (ip->bits == 128) {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(port);
		memcpy(&in6->sin6_addr, ip->bytes, 16);
		out->len = sizeof(*in6);
	} else {
		in->sin_family = AF_INET;
		in->sin_port = htons(port);
		memcpy(&in->sin_addr, ip->bytes, 4);
		out->len = sizeof(*in);
	}
}

bool os_addr_unix(struct slice path, struct os_addr *out)
{
	struct sockaddr_un *un = (struct sockaddr_un *)&out->ss;

	if (path.n >= sizeof(un->sun_path)) {
		errno = ENAMETOOLONG;
		return false;
	}
	memset(out, 0, sizeof(*out));
	un->sun_family = AF_UNIX;
	memcpy(un->sun_path, path.p, path.n);
	out->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path.n + 1);
	return true;
}
