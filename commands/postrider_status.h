/* SPDX-License-Identifier: ISC */
#ifndef COMMANDS_POSTRIDER_STATUS_H
#define COMMANDS_POSTRIDER_STATUS_H

#include <stdbool.h>

/*
 * postrider_status_print - what every process of the running suite says of its sessions (peer, state, what
 * it waits for, age), from the sockets under status/ in the queue directory, to standard output. A
 * process that does not answer within two seconds is named as such. False: the directory cannot be
 * read; errno. The working directory is status/ afterwards.
 */
bool postrider_status_print(const char *queue_directory);

#endif
