/* SPDX-License-Identifier: ISC */
#include "table/cdb_write.h"
#include "base/check.h"
#include "os/file.h"
#include "table/new_file.h"

#include <cdb.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct cdb_writer {
	struct new_file file;
	struct cdb_make make;
	bool begun; /* make holds memory */
	char *path;
	char error[512];
};

const char *cdb_writer_error(const struct cdb_writer *writer)
{
	return writer->error[0] != '\0' ? writer->error : NULL;
}

static bool fail(struct cdb_writer *writer, const char *what, int error)
{
	/* tinycdb says so when a file would have more than 4 GB */
	const char *why = error == ENOMEM ? "a CDB file cannot be larger than 4 GB" : strerror(error);

	if (writer->error[0] == '\0')
		snprintf(writer->error, sizeof(writer->error), "%s %s: %s", what, writer->path, why);
	return false;
}

struct cdb_writer *cdb_build(const char *path, mode_t mode)
{
	struct cdb_writer *writer = calloc(1, sizeof(*writer));

	if (writer == NULL || (writer->path = strdup(path)) == NULL)
		out_of_memory();
	if (!new_file_create(path, mode, &writer->file))
		fail(writer, "create", errno);
	else if (cdb_make_start(&writer->make, writer->file.fd) < 0)
		fail(writer, "write", errno);
	else
		writer->begun = true;
	return writer;
}

bool cdb_add(struct cdb_writer *writer, struct slice key, struct slice value)
{
	if (writer->error[0] != '\0')
		return false;
	if (key.n > UINT32_MAX / 4 || value.n > UINT32_MAX / 4)
		return fail(writer, "write", ENOMEM);
	if (cdb_make_add(&writer->make, key.p, (unsigned)key.n, value.p, (unsigned)value.n) < 0)
		return fail(writer, "write", errno);
	return true;
}

bool cdb_finish(struct cdb_writer *writer)
{
	const char *what = "write";

	if (writer->error[0] != '\0')
		return false;
	writer->begun = false;
	if (cdb_make_finish(&writer->make) < 0 || !new_file_place(&writer->file, &what))
		return fail(writer, what, errno);
	return true;
}

void cdb_abort(struct cdb_writer **writer)
{
	struct cdb_writer *w = *writer;

	if (w == NULL)
		return;
	if (w->begun)
		cdb_make_finish(&w->make); /* nothing else frees what it holds */
	new_file_end(&w->file);
	free(w->path);
	free(w);
	*writer = NULL;
}
