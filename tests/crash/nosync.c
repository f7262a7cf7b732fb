/* SPDX-License-Identifier: ISC */
/*
 * nosync - the mutant that must lose: preloaded into the daemons, it makes every sync a lie. A
 * power-cut rig that reports no loss with it proves nothing.
 */
#include <fcntl.h>
#include <unistd.h>

int fsync(int fd)
{
	return fcntl(fd, F_GETFD) < 0 ? -1 : 0;
}

int fdatasync(int fd)
{
	return fcntl(fd, F_GETFD) < 0 ? -1 : 0;
}
