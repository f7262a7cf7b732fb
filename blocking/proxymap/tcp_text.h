/* SPDX-License-Identifier: ISC */
/*
 * tcp_text - the lines of tcp_table(5). Pure.
 *
 *   get KEY LF                             % and what is not printable or is white space as %XX
 *   200 TEXT LF   400 TEXT LF   500 TEXT LF  found, try later, not found
 */
#ifndef PROXYMAP_TCP_TEXT_H
#define PROXYMAP_TCP_TEXT_H

#include "base/buffer.h"
#include "blocking/proxymap/module.h"

/* Of a reply, its end included. */
#define TCP_REPLY_MAX 4096u

/* tcp_request - append the line; false when the buffer is full. */
bool tcp_request(struct slice key, struct buffer *out);
/*
 * tcp_reply - line: without its LF. MODULE_FOUND, MODULE_MISSING, MODULE_TEMP (*value: the server's
 * text); MODULE_LOST: not a reply.
 */
enum module_result tcp_reply(struct slice line, struct arena *arena, struct slice *value);

#endif
