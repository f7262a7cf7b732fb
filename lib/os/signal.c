/* SPDX-License-Identifier: ISC */
#include "os/signal.h"

#include <errno.h>
#include <pthread.h>
#include <sys/signalfd.h>
#include <unistd.h>

int os_signal_open(const sigset_t *set)
{
	int rc = pthread_sigmask(SIG_BLOCK, set, NULL);

	if (rc != 0) {
		errno = rc;
		return -1;
	}
	return signalfd(-1, set, SFD_NONBLOCK | SFD_CLOEXEC);
}

int os_signal_read(int fd)
{
	struct signalfd_siginfo info;
	ssize_t r;

	do
		r = read(fd, &info, sizeof(info));
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return -1;
	return (int)info.ssi_signo;
}
