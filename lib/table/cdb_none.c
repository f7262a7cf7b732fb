/* SPDX-License-Identifier: ISC */
/* cdb_none - in place of cdb_write where tinycdb was not there when this was built. */
#include "base/check.h"
#include "table/cdb_write.h"

#include <stdlib.h>

struct cdb_writer {
	int unused;
};

struct cdb_writer *cdb_build(const char *path, mode_t mode)
{
	struct cdb_writer *writer = calloc(1, sizeof(*writer));

	(void)path;
	(void)mode;
	if (writer == NULL)
		out_of_memory();
	return writer;
}

const char *cdb_writer_error(const struct cdb_writer *writer)
{
	(void)writer;
	return "cdb files can be read, but not made: this was built without tinycdb";
}

bool cdb_add(struct cdb_writer *writer, struct slice key, struct slice value)
{
	(void)writer;
	(void)key;
	(void)value;
	return false;
}

bool cdb_finish(struct cdb_writer *writer)
{
	(void)writer;
	return false;
}

void cdb_abort(struct cdb_writer **writer)
{
	free(*writer);
	*writer = NULL;
}
