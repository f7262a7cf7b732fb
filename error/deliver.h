/* SPDX-License-Identifier: ISC */
/*
 * deliver - the delivery agents that deliver nothing. The next hop is the reason, with an enhanced status
 * in front or without: `error:5.1.1 user moved`.
 */
#ifndef ERROR_DELIVER_H
#define ERROR_DELIVER_H

#include "daemon/daemon.h"

/* error_session - every recipient bounces; under the service name `retry` it is deferred. */
void error_session(struct daemon_context *context, struct daemon_session *session);
/* discard_session - every recipient is thrown away, as if delivered. */
void discard_session(struct daemon_context *context, struct daemon_session *session);

#endif
