/* SPDX-License-Identifier: ISC */
/*
 * new_file - a file that takes the place of another, or of none, in one step: readers see the old one or the new one,
 * and so does a machine that lost power. Until then it has no name where the file system allows that, so that nothing
 * of it stays when its maker is killed.
 */
#ifndef TABLE_NEW_FILE_H
#define TABLE_NEW_FILE_H

#include <stdbool.h>
#include <sys/types.h>

struct new_file {
	int fd;
	char *target; /* what it will be */
	char *name;   /* what it is called before; NULL: nothing */
	char path[32]; /* of a nameless one, for this process */
};

/*
 * new_file_create - what a symbolic link leads to is replaced, not the link. A file that is there gives its mode,
 * and when root asks its owner; otherwise `mode` counts, without umask. False with errno.
 */
bool new_file_create(const char *target, mode_t mode, struct new_file *file);
/* new_file_path - for what has to open it itself. */
const char *new_file_path(const struct new_file *file);
/*
 * new_file_place - sync it, wait for whoever holds a lock (flock) on the old one, and take its place. False with errno, and
 * *what could not be done.
 */
bool new_file_place(struct new_file *file, const char **what);
/* new_file_end - what has not taken its place is gone. */
void new_file_end(struct new_file *file);

#endif
