/* SPDX-License-Identifier: ISC */
/* resolver/rdata - record data from the DNS to what clients get. Pure. */
#ifndef RESOLVER_RDATA_H
#define RESOLVER_RDATA_H

#include "base/arena.h"
#include "ipc/resolver.h"

/*
 * rdata_convert - false when the data is not what the type says, or holds a name that is no text (a dot,
 * white space or a control character inside a label).
 */
bool rdata_convert(uint16_t type, struct slice rdata, struct arena *arena,
		   struct resolver_answer_record *out);
/* rdata_name - an uncompressed name of RFC 1035 3.1 as text without final dot; the rest behind it. */
bool rdata_name(struct slice *rest, struct arena *arena, struct slice *name);
/* query_name_valid - may this text be asked for? Labels of 1 to 63 bytes, printable. */
bool query_name_valid(struct slice name);

#endif
