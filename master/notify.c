/* SPDX-License-Identifier: ISC */
#include "master/master.h"
#include "os/file.h"

#include <stdlib.h>
#include <sys/un.h>

/* notify_supervisor - one datagram to $NOTIFY_SOCKET, if there is one (sd_notify(3)). */
void notify_supervisor(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	struct os_addr addr = {0};
	size_t n = path != NULL ? strlen(path) : 0;
	int fd;

	if (n < 2 || n >= sizeof(sun.sun_path))
		return;
	memcpy(sun.sun_path, path, n);
	/* "@name": the abstract namespace */
	if (path[0] == '@')
		sun.sun_path[0] = '\0';
	addr.len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
	memcpy(&addr.ss, &sun, sizeof(sun));
	fd = os_socket(AF_UNIX, SOCK_DGRAM, 0);
	if (fd < 0)
		return;
	if (os_connect(fd, &addr) == 0)
		os_send(fd, state, strlen(state), 0);
	os_close(fd);
}
