/* SPDX-License-Identifier: ISC */
/* file_value - values that name files and stand for what the files hold, in base64 (RFC 4648 4): postmap -F. */
#ifndef TABLE_FILE_VALUE_H
#define TABLE_FILE_VALUE_H

#include "base/arena.h"
#include "base/slice.h"

/*
 * file_value_encode - `names`: files, between them white space or commas; their contents are put together with a
 * line end between. False: *out is the reason, for people. Both in the arena.
 */
bool file_value_encode(struct slice names, struct arena *arena, struct slice *out);
/* file_value_decode - false: not base64. */
bool file_value_decode(struct slice text, struct arena *arena, struct slice *out);

#endif
