/* SPDX-License-Identifier: ISC */
/*
 * map_content - the keys that a message on standard input holds: its headers, each with all its lines, and the lines
 * of its body. With MIME structure (RFC 2045, 2046): the headers of its parts, and of messages within it, are headers.
 */
#ifndef COMMANDS_MAP_CONTENT_H
#define COMMANDS_MAP_CONTENT_H

#include "base/slice.h"

struct map_content {
	bool headers; /* these are keys */
	bool body;    /* and these */
	bool mime;
	size_t nesting_max;  /* parts within parts; deeper ones are text */
	size_t boundary_max; /* only so many bytes of a boundary count */
	size_t header_max;   /* a header is cut to that */
	void (*key)(void *data, struct slice key);
	void *data;
};

void map_content_read(const struct map_content *content);

#endif
