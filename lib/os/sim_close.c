/* SPDX-License-Identifier: ISC */
/* sim_close - for programs with simulated sockets and real files. */
#include "os/file.h"
#include "os/socket.h"

int os_close(int fd)
{
	return os_socket_close(fd);
}
