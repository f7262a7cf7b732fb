/* SPDX-License-Identifier: ISC */
/*
 * postconf_edit - change main.cf as a person would: each named line where it stands, comments and
 * order as they are, new ones at the end. The new file takes the old one's place only once it is on
 * disk.
 */
#include "commands/postconf.h"

#include "config/source.h"
#include "os/file.h"

#include <errno.h>

struct edit {
	struct slice name;
	struct slice value;
	size_t hits;
};

static void parse_edits(enum edit_action action, char **args, int count, struct edit *edits)
{
	for (int i = 0; i < count; i++) {
		struct slice arg = slice_trim(slice_str(args[i]));
		const char *wrong;

		if (slice_find(arg, '\n') >= 0)
			postconf_fatal("-e, -X, or -# accepts no multi-line input");
		if (action != EDIT_SET) {
			if (arg.n == 0 || slice_find(arg, '=') >= 0 || slice_find(arg, ' ') >= 0)
				postconf_fatal("-X or -# requires names without value");
			edits[i].name = arg;
			continue;
		}
		if (arg.n > 0 && arg.p[0] == '#')
			postconf_fatal("-e accepts no comment input");
		wrong = main_cf_split(arg, &edits[i].name, &edits[i].value);
		if (wrong)
			postconf_fatal("%s: \"%.*s\"", wrong, SL_ARG(arg));
	}
}

static struct edit *find_edit(struct edit *edits, int count, struct slice name)
{
	/* The last one wins, as with -o. */
	for (int i = count; i-- > 0;)
		if (slice_eq(edits[i].name, name))
			return &edits[i];
	return NULL;
}

/* put_rest - a replaced line's own pieces are gone, but the comments between them stay. */
static void put_comments(struct postconf *pc, struct slice text)
{
	while (text.n > 0) {
		ssize_t at = slice_find(text, '\n');
		size_t n = at < 0 ? text.n : (size_t)at + 1;
		struct slice line = slice_sub(text, 0, n);
		struct slice seen = slice_trim(line);

		if (seen.n == 0 || seen.p[0] == '#')
			buffer_append(&pc->out, line);
		text = slice_from(text, n);
	}
}

static void put_commented(struct postconf *pc, struct slice text)
{
	while (text.n > 0) {
		ssize_t at = slice_find(text, '\n');
		size_t n = at < 0 ? text.n : (size_t)at + 1;
		struct slice line = slice_sub(text, 0, n);

		if (slice_trim(line).n > 0 && line.p[0] != '#')
			buffer_append_byte(&pc->out, '#');
		buffer_append(&pc->out, line);
		text = slice_from(text, n);
	}
}

static void put_edited(struct postconf *pc, enum edit_action action, struct edit *edit,
		       struct slice source)
{
	edit->hits++;
	if (action == EDIT_COMMENT) {
		put_commented(pc, source);
		return;
	}
	if (action == EDIT_SET)
		buffer_printf(&pc->out, "%.*s = %.*s\n", SL_ARG(edit->name), SL_ARG(edit->value));
	put_comments(pc, source);
}

/* rewrite - the new text of main.cf into pc->out. */
static void rewrite(struct postconf *pc, enum edit_action action, struct edit *edits, int count,
		    struct slice file, struct slice text)
{
	struct line_reader reader;
	struct logical_line line;
	size_t done = 0;

	line_reader_init(&reader, text);
	while (line_reader_next(&reader, pc->arena, &line)) {
		struct slice name;
		struct slice value;
		struct edit *edit;

		buffer_append(&pc->out, slice_sub(text, done, line.begin));
		done = line.end;
		if (main_cf_split(line.text, &name, &value) == NULL &&
		    (edit = find_edit(edits, count, name)) != NULL)
			put_edited(pc, action, edit, slice_sub(text, line.begin, line.end));
		else
			buffer_append(&pc->out, slice_sub(text, line.begin, line.end));
	}
	buffer_append(&pc->out, slice_from(text, done));
	if (pc->out.len > 0 && pc->out.data[pc->out.len - 1] != '\n')
		buffer_append_byte(&pc->out, '\n');
	for (int i = 0; i < count; i++) {
		struct edit *last = find_edit(edits, count, edits[i].name);

		if (edits[i].hits > 1)
			postconf_warn("%.*s: multiple entries for \"%.*s\"", SL_ARG(file),
				      SL_ARG(edits[i].name));
		if (action == EDIT_SET && last == &edits[i] && edits[i].hits == 0)
			buffer_printf(&pc->out, "%.*s = %.*s\n", SL_ARG(edits[i].name),
				      SL_ARG(edits[i].value));
	}
}

/* open_new - DIR/main.cf.tmp, empty and ours alone, with the old file's owner and mode. */
static int open_new(int dirfd, const char *dir)
{
	struct stat st;
	int fd;

	fd = os_openat(dirfd, "main.cf.tmp", O_WRONLY | O_CREAT | O_NOFOLLOW, 0600);
	if (fd < 0)
		postconf_fatal("create %s/main.cf.tmp: %s", dir, strerror(errno));
	if (os_lock(fd, true, true) < 0 || os_ftruncate(fd, 0) < 0)
		postconf_fatal("lock %s/main.cf.tmp: %s", dir, strerror(errno));
	if (os_fstatat(dirfd, "main.cf", &st, 0) < 0)
		postconf_fatal("stat %s/main.cf: %s", dir, strerror(errno));
	if (os_fchown(fd, st.st_uid, st.st_gid) < 0 || os_fchmod(fd, st.st_mode & 07777) < 0)
		postconf_fatal("give %s/main.cf.tmp the owner and mode of main.cf: %s", dir,
			       strerror(errno));
	return fd;
}

static void replace(struct postconf *pc, int dirfd, int fd)
{
	if (buffer_overflowed(&pc->out))
		postconf_fatal("the new main.cf is too large");
	if (os_write_full(fd, pc->out.data, pc->out.len) < 0 || os_fsync(fd) < 0) {
		int error = errno;

		(void)os_unlinkat(dirfd, "main.cf.tmp", 0);
		postconf_fatal("write %s/main.cf.tmp: %s", pc->dir, strerror(error));
	}
	if (os_renameat(dirfd, "main.cf.tmp", dirfd, "main.cf") < 0)
		postconf_fatal("rename %s/main.cf.tmp: %s", pc->dir, strerror(errno));
	if (os_close(fd) < 0 || os_sync_dir(dirfd) < 0)
		postconf_fatal("sync %s: %s", pc->dir, strerror(errno));
}

void postconf_edit(struct postconf *pc, enum edit_action action, char **args, int count)
{
	struct edit *edits = ARENA_ARRAY(pc->arena, (size_t)count + 1, struct edit);
	struct slice file;
	struct slice text = SL_NULL;
	int dirfd;
	int fd;

	if (count == 0)
		postconf_fatal("-e requires name=value argument");
	parse_edits(action, args, count, edits);
	dirfd = os_openat(AT_FDCWD, pc->dir, O_RDONLY | O_DIRECTORY, 0);
	if (dirfd < 0)
		postconf_fatal("open %s: %s", pc->dir, strerror(errno));
	fd = open_new(dirfd, pc->dir);
	/* Read only now, under the lock: what another postconf has just written counts. */
	if (config_read(pc->dir, "main.cf", pc->arena, &pc->problems, &file, &text) != RES_OK)
		postconf_fatal("%s", config_problem_text(pc->arena, &pc->problems.items[0]).p);
	rewrite(pc, action, edits, count, file, text);
	replace(pc, dirfd, fd);
	(void)os_close(dirfd);
}
