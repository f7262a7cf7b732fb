/* SPDX-License-Identifier: ISC */
/*
 * close - on its own, because descriptors of all kinds come here: a simulated part that has some replaces
 * it, and hands on those it does not know.
 */
#include "os/file.h"

#include <errno.h>
#include <unistd.h>

int os_close(int fd)
{
	/* Linux closes the descriptor even when it says EINTR; a second try could hit a stranger */
	if (close(fd) < 0 && errno != EINTR)
		return -1;
	return 0;
}
