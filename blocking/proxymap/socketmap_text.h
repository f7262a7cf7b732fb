/* SPDX-License-Identifier: ISC */
/*
 * socketmap_text - requests and replies of socketmap_table(5): netstrings, "LENGTH:BYTES,". Pure.
 */
#ifndef PROXYMAP_SOCKETMAP_TEXT_H
#define PROXYMAP_SOCKETMAP_TEXT_H

#include "base/buffer.h"
#include "blocking/proxymap/module.h"

enum netstring {
	NETSTRING_WHOLE, /* *payload; *size bytes in all */
	NETSTRING_MORE,	 /* so far it may become one */
	NETSTRING_BAD
};

/* netstring_read - what is at the front of `bytes`. */
enum netstring netstring_read(struct slice bytes, size_t limit, struct slice *payload,
			      size_t *size);

/* socketmap_request - append "NAME KEY" as a netstring; false when the buffer is full. */
bool socketmap_request(struct slice name, struct slice key, struct buffer *out);
/* socketmap_reply - as tcp_reply; *value is part of the payload. */
enum module_result socketmap_reply(struct slice payload, struct slice *value);

#endif
