/* SPDX-License-Identifier: ISC */
/* biff - tell comsat of new mail in a mailbox: "user@offset" and a NUL, by UDP, hoping for nothing.
 */
#include "local/local.h"
#include "os/socket.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>

#define BIFF_PORT_UNKNOWN 0

static uint16_t biff_port(void)
{
	struct servent service, *found = NULL;
	char record[1024];

	if (getservbyname_r("biff", "udp", &service, record, sizeof(record), &found) != 0 ||
	    found == NULL)
		return BIFF_PORT_UNKNOWN;
	return ntohs((uint16_t)found->s_port);
}

void biff_tell(const struct local *p, struct slice user, uint64_t offset)
{
	struct os_addr addr = {.len = sizeof(struct sockaddr_in)};
	struct sockaddr_in *in = (struct sockaddr_in *)&addr.ss;
	uint16_t port = p->settings->biff ? biff_port() : BIFF_PORT_UNKNOWN;
	char text[300];
	int fd, n;

	if (port == BIFF_PORT_UNKNOWN)
		return;
	in->sin_family = AF_INET;
	in->sin_port = htons(port);
	in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	n = snprintf(text, sizeof(text), "%.*s@%llu", SL_ARG(user), (unsigned long long)offset);
	fd = os_socket(AF_INET, SOCK_DGRAM, 0);
	if (fd < 0)
		return;
	if (n > 0 && (size_t)n < sizeof(text) && os_connect(fd, &addr) == 0)
		(void)os_send(fd, text, (size_t)n + 1, 0);
	os_socket_close(fd);
}
