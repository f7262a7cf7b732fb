/* SPDX-License-Identifier: ISC */
/*
 * drop_pipe - frames of schema/ipc/maildrop.ipc over the pipe between sendmail and postdrop. Blocking.
 */
#ifndef COMMANDS_DROP_PIPE_H
#define COMMANDS_DROP_PIPE_H

#include "ipc/maildrop.h"

/* drop_pipe_write - false: a field passes its bound (EMSGSIZE), or the pipe broke (EPIPE). */
bool drop_pipe_write(int fd, const struct ipc_message *message, const void *m);

enum drop_pipe_status { DROP_PIPE_FRAME, DROP_PIPE_END, DROP_PIPE_BAD };

/* drop_pipe_read - the next frame, its payload in the arena. END: end of file between two frames. */
enum drop_pipe_status drop_pipe_read(int fd, struct arena *arena, struct ipc_frame *frame);

#endif
