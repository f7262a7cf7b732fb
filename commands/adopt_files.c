/* SPDX-License-Identifier: ISC */
#include "base/buffer.h"
#include "base/check.h"
#include "commands/adopt.h"
#include "os/file.h"
#include "table/new_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MOST 8
#define FILES_MOST 100000
#define CHUNK ((size_t)1 << 16)
#define MENTION_MOST ((off_t)1 << 20) /* a larger file is not read for names of the old place */

/* Written anew, made by building a table, or part of Postfix's own installation. */
static const char *const not_copied[] = {"main.cf",	     "master.cf",    "main.cf.proto", "master.cf.proto",
					 "dynamicmaps.cf",   "makedefs.out", "post-install",  "postfix-script",
					 "postfix-wrapper",  "postfix-files", "postmulti-script", "LICENSE",
					 "TLS_LICENSE",	     "dynamicmaps.cf.d", "postfix-files.d", "postfix-tls-script"};
static const char *const built_endings[] = {".db", ".lmdb", ".lmdb-lock", ".cdb", ".dir", ".pag", "~"};

static bool is_left(const char *name)
{
	for (size_t i = 0; i < sizeof(not_copied) / sizeof(not_copied[0]); i++)
		if (strcmp(name, not_copied[i]) == 0)
			return true;
	for (size_t i = 0; i < sizeof(built_endings) / sizeof(built_endings[0]); i++)
		if (slice_ends(slice_str(name), slice_str(built_endings[i])))
			return true;
	return false;
}

static const char *below(struct adopt *a, const char *dir, struct slice path)
{
	return arena_printf(a->arena, "%s/%.*s", dir, SL_ARG(path)).p;
}

/* same_bytes - of two open files. */
static bool same_bytes(int one, int other)
{
	char x[4096], y[4096];
	ssize_t n, m;

	do {
		n = os_read_full(one, x, sizeof(x));
		m = os_read_full(other, y, sizeof(y));
	} while (n > 0 && n == m && memcmp(x, y, (size_t)n) == 0);
	return n == 0 && m == 0;
}

static bool same_files(const char *one, const char *other)
{
	int x = os_openat(AT_FDCWD, one, O_RDONLY, 0), y = os_openat(AT_FDCWD, other, O_RDONLY, 0);
	bool same = x >= 0 && y >= 0 && same_bytes(x, y);

	if (x >= 0)
		os_close(x);
	if (y >= 0)
		os_close(y);
	return same;
}

/* mentions - the lines of a copied file that name the old place still do so in the copy. */
static void mentions(struct adopt *a, struct slice path, off_t size)
{
	const char *full = below(a, a->from, path);
	struct slice rest, line;
	unsigned number = 0;
	int fd = size > MENTION_MOST ? -1 : os_openat(AT_FDCWD, full, O_RDONLY, 0);
	char *text;
	ssize_t n;

	if (fd < 0)
		return;
	text = arena_alloc(a->arena, (size_t)size + 1);
	n = os_read_full(fd, text, (size_t)size);
	os_close(fd);
	rest = slice(text, n < 0 ? 0 : (size_t)n);
	while (rest.n > 0) {
		ssize_t end = slice_find(rest, '\n');

		line = slice_trim(slice_sub(rest, 0, end < 0 ? rest.n : (size_t)end));
		rest = slice_from(rest, end < 0 ? rest.n : (size_t)end + 1);
		number++;
		if (line.n > 0 && line.p[0] != '#' && !slice_eq(adopt_translate(a, line), line))
			config_problem_add(&a->attention, false, slice_str(full), number, SL_NULL,
					   "names %s, and so does the copy in %s", a->from, a->to);
	}
}

static bool add_file(struct adopt *a, struct slice path, const struct stat *st)
{
	const char *target = below(a, a->to, path);
	struct stat there;
	struct adopt_file *f;

	if (a->file_count == FILES_MOST) {
		fprintf(stderr, "postrider: fatal: more than %d files in %s\n", FILES_MOST, a->from);
		return false;
	}
	if (a->file_count == a->file_size) {
		a->file_size = a->file_size ? 2 * a->file_size : 64;
		a->files = reallocarray(a->files, a->file_size, sizeof(*a->files));
		if (a->files == NULL)
			out_of_memory();
	}
	f = &a->files[a->file_count++];
	*f = (struct adopt_file){.path = path};
	mentions(a, path, st->st_size);
	if (os_fstatat(AT_FDCWD, target, &there, 0) < 0)
		return true;
	f->unchanged = same_files(below(a, a->from, path), target);
	if (f->unchanged || a->force)
		return true;
	fprintf(stderr, "postrider: fatal: %s is there already, and differs: -f overwrites it\n", target);
	return false;
}

static bool plan_directory(struct adopt *a, struct slice path, int depth);

/* plan_entry - links to files become files, so that nothing points back to the old place. */
static bool plan_entry(struct adopt *a, struct slice path, int depth)
{
	const char *full = below(a, a->from, path);
	struct stat st, link;

	if (os_fstatat(AT_FDCWD, full, &link, AT_SYMLINK_NOFOLLOW) < 0 || os_fstatat(AT_FDCWD, full, &st, 0) < 0) {
		config_problem_add(&a->attention, false, slice_str(full), 0, SL_NULL, "not copied: %s",
				   strerror(errno));
		return true;
	}
	if (S_ISREG(st.st_mode))
		return add_file(a, path, &st);
	if (S_ISDIR(link.st_mode) && depth < DEPTH_MOST)
		return plan_directory(a, path, depth + 1);
	config_problem_add(&a->attention, false, slice_str(full), 0, SL_NULL,
			   "not copied: no file, or a folder behind a link or too deep");
	return true;
}

static bool plan_directory(struct adopt *a, struct slice path, int depth)
{
	const char *full = path.n > 0 ? below(a, a->from, path) : a->from, *name;
	struct os_dir *dir = os_dir_open(AT_FDCWD, full);
	bool ok = dir != NULL;

	if (!ok)
		fprintf(stderr, "postrider: fatal: open %s: %s\n", full, strerror(errno));
	while (ok && os_dir_next(dir, &name) == 1) {
		if (is_left(name))
			continue;
		ok = plan_entry(a, path.n > 0 ? arena_printf(a->arena, "%.*s/%s", SL_ARG(path), name)
					      : arena_dup(a->arena, slice_str(name)), depth);
	}
	if (dir != NULL)
		os_dir_close(&dir);
	return ok;
}

bool adopt_plan_files(struct adopt *a)
{
	return plan_directory(a, SL_NULL, 0);
}

/* ---- writing */

static enum result told(const char *what, const char *path)
{
	fprintf(stderr, "postrider: fatal: %s %s: %s\n", what, path, strerror(errno));
	return RES_TEMP;
}

/* make_parents - the folders above a file, as they were. */
static enum result make_parents(struct adopt *a, struct slice path)
{
	for (size_t i = 0; i < path.n; i++) {
		struct slice part = slice_sub(path, 0, i);
		const char *target;
		struct stat st;

		if (path.p[i] != '/')
			continue;
		target = below(a, a->to, part);
		if (os_fstatat(AT_FDCWD, below(a, a->from, part), &st, 0) < 0)
			return told("look at", below(a, a->from, part));
		if (os_mkdirat(AT_FDCWD, target, st.st_mode & 0777) < 0 && errno != EEXIST)
			return told("make", target);
	}
	return RES_OK;
}

static bool copy_bytes(int from, int to)
{
	char *chunk = malloc(CHUNK);
	bool good = true;
	ssize_t n = 0;

	if (chunk == NULL)
		out_of_memory();
	while (good && (n = os_read(from, chunk, CHUNK)) > 0)
		good = os_write_full(to, chunk, (size_t)n) == 0;
	free(chunk);
	return good && n == 0;
}

/* fill - bytes, owner, mode; passwords must not be readable for a moment, so the mode is narrow until the end. */
static bool fill(int from, int to)
{
	struct stat st;

	return os_fstat(from, &st) == 0 && copy_bytes(from, to) &&
	       (os_fchown(to, st.st_uid, st.st_gid) == 0 || errno == EPERM) &&
	       os_fchmod(to, st.st_mode & 0777) == 0;
}

/* place - what was written takes its place, or is gone. */
static enum result place(struct new_file *file, bool good, const char *target)
{
	const char *what = "write";

	if (good && new_file_place(file, &what)) {
		new_file_end(file);
		return RES_OK;
	}
	(void)told(what, target);
	new_file_end(file);
	return RES_TEMP;
}

static enum result copy_one(struct adopt *a, const struct adopt_file *f)
{
	const char *source = below(a, a->from, f->path), *target = below(a, a->to, f->path);
	struct new_file file;
	enum result rc;
	int from;

	if (make_parents(a, f->path) != RES_OK)
		return RES_TEMP;
	from = os_openat(AT_FDCWD, source, O_RDONLY, 0);
	if (from < 0)
		return told("read", source);
	if (new_file_create(target, 0600, &file))
		rc = place(&file, fill(from, file.fd), target);
	else
		rc = told("write", target);
	os_close(from);
	return rc;
}

enum result adopt_copy_files(struct adopt *a)
{
	for (size_t i = 0; i < a->file_count; i++)
		if (!a->files[i].unchanged && copy_one(a, &a->files[i]) != RES_OK)
			return RES_TEMP;
	return RES_OK;
}

enum result adopt_write(struct adopt *a, const char *name, struct slice text)
{
	const char *target = below(a, a->to, slice_str(name));
	struct new_file file;

	if (!new_file_create(target, 0644, &file))
		return told("write", target);
	return place(&file, os_write_full(file.fd, text.p, text.n) == 0, target);
}
