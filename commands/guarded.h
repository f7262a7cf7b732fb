/* SPDX-License-Identifier: ISC */
/* guarded - what set-gid commands do before anything else: their caller is not trusted. */
#ifndef COMMANDS_GUARDED_H
#define COMMANDS_GUARDED_H

#include "commands/command.h"

/*
 * guarded_begin - the first act of main(): of the environment only MAIL_CONFIG and TZ survive, descriptors
 * 0 to 2 are open and no other is, no core dumps, umask 022.
 */
void guarded_begin(void);
/*
 * guarded_confine - the command's row of schema/privileges, for good; the working directory is the queue
 * directory after it. Fatal when it cannot be had.
 */
void guarded_confine(const struct command *c);

#endif
