/* SPDX-License-Identifier: ISC */
/*
 * calls - the system calls a process may make (seccomp), put together from named groups.
 *
 * A group list allows what it names. What a well-meant library may try without need (open a file,
 * look for a child, raise a limit) gets an error; anything else ends the process at once. The group
 * `broad` is the other way round: all is allowed but what no mail program needs (ptrace, mount,
 * modules, bpf, io_uring, namespaces ...), which gets EPERM; it serves processes whose children run
 * other people's programs.
 */
#ifndef DAEMON_CALLS_H
#define DAEMON_CALLS_H

#include "base/slice.h"

struct call_filter;

/* Stands in a filter, as it was built, for the process that enters it; no process can have this number. */
#define CALLS_PID_PLACE 0x5e1f5e1fu

/* calls_find - the filter for `groups`, as a row of schema/privileges writes them; NULL: in no row. */
const struct call_filter *calls_find(const char *groups);
/*
 * calls_enter - from now on, for every thread of the process. 0, or a negated errno value. Needs
 * no_new_privs or CAP_SYS_ADMIN.
 */
int calls_enter(const struct call_filter *filter);

#endif
