/* SPDX-License-Identifier: ISC */
/*
 * os/signal - signals as something a poller can wait for. Two implementations, chosen at link time:
 * signalfd (signal.c), and signals that a test raises (sim_net.c).
 */
#ifndef OS_SIGNAL_H
#define OS_SIGNAL_H

#include <signal.h>

/* os_signal_open - block these in the calling thread; a descriptor that is readable when one pends. */
int os_signal_open(const sigset_t *set);
/* os_signal_read - the number of a pending signal; -1 EAGAIN when there is none. */
int os_signal_read(int fd);

#endif
