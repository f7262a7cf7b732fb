/* SPDX-License-Identifier: ISC */
/* config/source - the configuration files as bytes. */
#ifndef CONFIG_SOURCE_H
#define CONFIG_SOURCE_H

#include "base/result.h"
#include "config/problem.h"

#define CONFIG_FILE_LIMIT ((off_t)16 << 20)

/*
 * config_read - all of DIR/NAME. RES_TEMP: it could not be read (RES_PERM: too large); why is in
 * `problems`. *path is what messages call the file. Both are in the arena.
 */
enum result config_read(const char *dir, const char *name, struct arena *arena,
			struct config_problems *problems, struct slice *path, struct slice *text);

/* config_read_fd - the same of an open file, from its beginning; `path` is for messages. */
enum result config_read_fd(int fd, struct slice path, struct arena *arena,
			   struct config_problems *problems, struct slice *text);

#endif
