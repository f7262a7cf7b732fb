/* SPDX-License-Identifier: ISC */
/*
 * slowsync - preloaded into the daemons, it lets what was written wait for SLOW_MS before it is synced, as a
 * busy disk does: others' syncs come in between, and a power cut finds more that is half done.
 */
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int fsync(int fd)
{
	struct timespec pause = {SLOW_MS / 1000, SLOW_MS % 1000 * 1000000};

	nanosleep(&pause, NULL);
	return (int)syscall(SYS_fsync, fd);
}
