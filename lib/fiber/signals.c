/* SPDX-License-Identifier: ISC */
#include "fiber/fiber.h"
#include "os/signal.h"

#include <errno.h>

int fiber_signals_open(struct fiber_signals *s, const sigset_t *set)
{
	int fd = os_signal_open(set);

	if (fd < 0)
		return -1;
	fiber_fd_init(&s->fd, fd);
	return 0;
}

void fiber_signals_close(struct fiber_signals *s)
{
	fiber_fd_close(&s->fd);
}

int fiber_signal_wait(struct fiber_signals *s, int64_t deadline, const char *why)
{
	while (fiber_wait_fd(&s->fd, OS_READABLE, deadline, why) == 0) {
		int signo = os_signal_read(s->fd.fd);

		if (signo >= 0 || errno != EAGAIN)
			return signo;
		fiber_fd_blocked(&s->fd, OS_READABLE);
	}
	return -1;
}
