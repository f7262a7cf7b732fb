/* SPDX-License-Identifier: ISC */
/* trust - can somebody else than root and a file's owner put another file in its place? */
#ifndef TABLE_TRUST_H
#define TABLE_TRUST_H

#include "base/arena.h"
#include "base/slice.h"

#include <sys/stat.h>

/*
 * trust_doubt - of every directory on the way to `path` (where symbolic links lead, too): the first that belongs to
 * neither root nor the owner of the file, or that everybody may write to (a sticky one, as /tmp, lets nobody replace
 * another's file). Absent: all is well; else a reason that names the directory, in the arena.
 */
struct slice trust_doubt(const char *path, const struct stat *file, struct arena *arena);

#endif
