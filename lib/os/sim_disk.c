/* SPDX-License-Identifier: ISC */
#include "os/sim_disk.h"

#include "base/check.h"
#include "os/file.h"

#include <errno.h>
#include <stdlib.h>

#define FD_BASE 100000
#define FD_MAX 4096

/* A write or a change of size that is not durable yet; size_only: no bytes. */
struct sim_write {
	uint64_t offset;
	size_t length;
	uint64_t size_after;
	bool truncate;
	uint8_t *bytes;
};

struct sim_node;

struct sim_name {
	char *name;
	struct sim_node *node;
	struct sim_name *next;
};

struct sim_node {
	uint64_t number;
	bool is_dir;
	mode_t mode;
	int64_t mtime_us;
	/* file */
	uint8_t *now, *kept; /* as seen; as durable */
	uint64_t now_size, kept_size, now_room, kept_room;
	struct sim_write *writes;
	size_t write_count, write_room;
	/* directory */
	struct sim_name *now_names, *kept_names;
	struct sim_node *all_next;
};

/* A change of names that is not durable: of `name` in dir to node (NULL: removed), or both at once. */
struct sim_change {
	struct sim_node *dir[2];
	char *name[2];
	struct sim_node *node[2];
	int parts;
};

struct sim_open {
	struct sim_node *node;
	uint64_t position;
	bool append;
	int lock; /* 0 none, 1 shared, 2 exclusive */
};

struct os_dir {
	char **names;
	size_t count, at;
};

static struct {
	struct sim_node *root, *all;
	uint64_t next_number, calls, off_at, fail_at, fail_count, capacity, chance;
	int fail_errno;
	bool off, lie;
	struct sim_change *changes;
	size_t change_count, change_room;
	struct sim_open open[FD_MAX];
} sim;

static uint64_t chance(void)
{
	/* splitmix64 (Steele, Lea, Flood 2014) */
	uint64_t z = (sim.chance += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static void *must(void *p)
{
	if (p == NULL)
		out_of_memory();
	return p;
}

static struct sim_node *new_node(bool is_dir, mode_t mode)
{
	struct sim_node *n = must(calloc(1, sizeof(*n)));

	n->number = ++sim.next_number;
	n->is_dir = is_dir;
	n->mode = (mode & 07777) | (is_dir ? S_IFDIR : S_IFREG);
	n->all_next = sim.all;
	sim.all = n;
	return n;
}

/* ---- names */

static struct sim_name **find_name(struct sim_name **list, const char *name)
{
	while (*list != NULL && strcmp((*list)->name, name) != 0)
		list = &(*list)->next;
	return list;
}

static void set_name(struct sim_name **list, const char *name, struct sim_node *node)
{
	struct sim_name **at = find_name(list, name);

	if (node == NULL) {
		struct sim_name *old = *at;

		if (old == NULL)
			return;
		*at = old->next;
		free(old->name);
		free(old);
		return;
	}
	if (*at == NULL) {
		*at = must(calloc(1, sizeof(**at)));
		(*at)->name = must(strdup(name));
	}
	(*at)->node = node;
}

static void free_names(struct sim_name **list)
{
	while (*list != NULL)
		set_name(list, (*list)->name, NULL);
}

static struct sim_name *copy_names(const struct sim_name *list)
{
	struct sim_name *copy = NULL;

	for (; list != NULL; list = list->next)
		set_name(&copy, list->name, list->node);
	return copy;
}

static struct sim_change *add_change(void)
{
	if (sim.change_count == sim.change_room) {
		sim.change_room = sim.change_room * 2 + 16;
		sim.changes = must(reallocarray(sim.changes, sim.change_room,
						sizeof(*sim.changes)));
	}
	memset(&sim.changes[sim.change_count], 0, sizeof(*sim.changes));
	return &sim.changes[sim.change_count++];
}

static void change_part(struct sim_change *c, struct sim_node *dir, const char *name,
			struct sim_node *node)
{
	c->dir[c->parts] = dir;
	c->name[c->parts] = must(strdup(name));
	c->node[c->parts++] = node;
	set_name(&dir->now_names, name, node);
}

static void free_change(struct sim_change *c)
{
	for (int i = 0; i < c->parts; i++)
		free(c->name[i]);
}

static void keep_change(const struct sim_change *c)
{
	for (int i = 0; i < c->parts; i++)
		set_name(&c->dir[i]->kept_names, c->name[i], c->node[i]);
}

/* ---- bytes */

static void make_room(uint8_t **bytes, uint64_t *room, uint64_t size)
{
	uint64_t wider = size > *room * 2 ? size : *room * 2;

	if (size <= *room)
		return;
	*bytes = must(realloc(*bytes, wider));
	memset(*bytes + *room, 0, wider - *room);
	*room = wider;
}

static void apply_size(uint8_t *bytes, uint64_t *at, uint64_t size)
{
	if (size < *at)
		memset(bytes + size, 0, *at - size);
	*at = size;
}

static struct sim_write *add_write(struct sim_node *n)
{
	if (n->write_count == n->write_room) {
		n->write_room = n->write_room * 2 + 8;
		n->writes = must(reallocarray(n->writes, n->write_room, sizeof(*n->writes)));
	}
	memset(&n->writes[n->write_count], 0, sizeof(*n->writes));
	return &n->writes[n->write_count++];
}

static void forget_writes(struct sim_node *n)
{
	for (size_t i = 0; i < n->write_count; i++)
		free(n->writes[i].bytes);
	n->write_count = 0;
}

uint64_t sim_disk_used(void)
{
	uint64_t sum = 0;

	for (struct sim_node *n = sim.all; n != NULL; n = n->all_next)
		sum += n->now_size;
	return sum;
}

static int write_at(struct sim_node *n, const void *bytes, size_t length, uint64_t offset)
{
	struct sim_write *w;

	if (sim.capacity != 0 && offset + length > n->now_size &&
	    sim_disk_used() + (offset + length - n->now_size) > sim.capacity) {
		errno = ENOSPC;
		return -1;
	}
	if (length == 0)
		return 0;
	make_room(&n->now, &n->now_room, offset + length);
	memcpy(n->now + offset, bytes, length);
	if (offset + length > n->now_size)
		n->now_size = offset + length;
	w = add_write(n);
	w->offset = offset;
	w->length = length;
	w->size_after = n->now_size;
	w->bytes = must(malloc(length));
	memcpy(w->bytes, bytes, length);
	return 0;
}

static int set_size(struct sim_node *n, uint64_t size)
{
	struct sim_write *w;

	if (sim.capacity != 0 && size > n->now_size && sim_disk_used() + size - n->now_size > sim.capacity) {
		errno = ENOSPC;
		return -1;
	}
	make_room(&n->now, &n->now_room, size);
	apply_size(n->now, &n->now_size, size);
	w = add_write(n);
	w->truncate = true;
	w->size_after = size;
	return 0;
}

/* keep_bytes - of one write: each of its sectors if `all`, or by chance. */
static void keep_bytes(struct sim_node *n, const struct sim_write *w, bool all)
{
	uint64_t at = w->offset, end = w->offset + w->length;

	make_room(&n->kept, &n->kept_room, end);
	while (at < end) {
		uint64_t stop = (at / SIM_SECTOR + 1) * SIM_SECTOR;

		if (stop > end)
			stop = end;
		if (all || (chance() & 1) != 0)
			memcpy(n->kept + at, w->bytes + (at - w->offset), stop - at);
		at = stop;
	}
}

/* keep_some - a cut or a failed sync: some of the writes' sectors and one of the sizes arrive. */
static void keep_some(struct sim_node *n)
{
	for (size_t i = 0; i < n->write_count; i++) {
		const struct sim_write *w = &n->writes[i];

		if (!w->truncate)
			keep_bytes(n, w, false);
		if ((chance() & 1) == 0)
			continue;
		make_room(&n->kept, &n->kept_room, w->size_after);
		if (w->size_after > n->kept_size || w->truncate)
			apply_size(n->kept, &n->kept_size, w->size_after);
	}
	/* bytes behind the size that survived are no part of the file */
	if (n->kept_room > n->kept_size)
		memset(n->kept + n->kept_size, 0, n->kept_room - n->kept_size);
}

static void keep_all(struct sim_node *n)
{
	make_room(&n->kept, &n->kept_room, n->now_size);
	if (n->now_size > 0)
		memcpy(n->kept, n->now, n->now_size);
	if (n->kept_room > n->now_size)
		memset(n->kept + n->now_size, 0, n->kept_room - n->now_size);
	n->kept_size = n->now_size;
	forget_writes(n);
}

/* ---- the test's side */

static void close_all(void)
{
	memset(sim.open, 0, sizeof(sim.open));
}

void sim_disk_reset(uint64_t seed)
{
	while (sim.all != NULL) {
		struct sim_node *n = sim.all;

		sim.all = n->all_next;
		forget_writes(n);
		free_names(&n->now_names);
		free_names(&n->kept_names);
		free(n->writes);
		free(n->now);
		free(n->kept);
		free(n);
	}
	for (size_t i = 0; i < sim.change_count; i++)
		free_change(&sim.changes[i]);
	free(sim.changes);
	memset(&sim, 0, sizeof(sim));
	sim.chance = seed;
	sim.root = new_node(true, 0755);
}

uint64_t sim_disk_calls(void)
{
	return sim.calls;
}

void sim_disk_power_off_at(uint64_t n)
{
	sim.off_at = n;
}

bool sim_disk_is_off(void)
{
	return sim.off;
}

void sim_disk_fail_at(uint64_t n, uint64_t count, int errnum)
{
	sim.fail_at = n;
	sim.fail_count = count;
	sim.fail_errno = errnum;
}

void sim_disk_lie(bool lie)
{
	sim.lie = lie;
}

void sim_disk_capacity(uint64_t bytes)
{
	sim.capacity = bytes;
}

void sim_disk_kill(void)
{
	close_all();
}

static void settle_names(enum sim_loss loss)
{
	size_t prefix = sim.change_count == 0 ? 0 : chance() % (sim.change_count + 1);

	for (size_t i = 0; i < sim.change_count; i++) {
		bool keep = loss == SIM_LOSE_NONE || (loss == SIM_LOSE_ANY && (chance() & 1) != 0) ||
			    (loss == SIM_LOSE_LATEST && i < prefix);

		if (keep)
			keep_change(&sim.changes[i]);
		free_change(&sim.changes[i]);
	}
	sim.change_count = 0;
}

void sim_disk_power_on(enum sim_loss loss)
{
	close_all();
	settle_names(loss);
	for (struct sim_node *n = sim.all; n != NULL; n = n->all_next) {
		if (loss == SIM_LOSE_NONE)
			keep_all(n);
		else if (loss != SIM_LOSE_ALL)
			keep_some(n);
		forget_writes(n);
		make_room(&n->now, &n->now_room, n->kept_size);
		if (n->now_room > 0)
			memset(n->now, 0, n->now_room);
		if (n->kept_size > 0)
			memcpy(n->now, n->kept, n->kept_size);
		n->now_size = n->kept_size;
		free_names(&n->now_names);
		n->now_names = copy_names(n->kept_names);
	}
	sim.off = false;
	sim.off_at = 0;
}

/* enter - every call begins here; false: it fails with errno. */
static bool enter(void)
{
	sim.calls++;
	if (sim.off_at != 0 && sim.calls >= sim.off_at)
		sim.off = true;
	if (sim.off) {
		errno = EIO;
		return false;
	}
	if (sim.fail_at != 0 && sim.calls >= sim.fail_at &&
	    sim.calls - sim.fail_at < sim.fail_count) {
		errno = sim.fail_errno;
		return false;
	}
	return true;
}

/* ---- the program's side */

static struct sim_open *opened(int fd)
{
	if (fd >= FD_BASE && fd < FD_BASE + FD_MAX && sim.open[fd - FD_BASE].node != NULL)
		return &sim.open[fd - FD_BASE];
	errno = EBADF;
	return NULL;
}

/* walk_to - the directory that holds the path's last part, which goes to `last`. */
static struct sim_node *walk_to(int dirfd, const char *path, char last[256])
{
	struct sim_open *o = dirfd == AT_FDCWD ? NULL : opened(dirfd);
	struct sim_node *at = path[0] == '/' || dirfd == AT_FDCWD ? sim.root : NULL;
	struct slice rest = slice_str(path), part;

	if (at == NULL && o == NULL)
		return NULL;
	at = at != NULL ? at : o->node;
	strcpy(last, ".");
	while (slice_next(&rest, "/", &part)) {
		struct sim_name *name;

		if (strcmp(last, ".") != 0) {
			name = at->is_dir ? *find_name(&at->now_names, last) : NULL;
			if (name == NULL) {
				errno = ENOENT;
				return NULL;
			}
			at = name->node;
		}
		if (part.n > 255) {
			errno = ENAMETOOLONG;
			return NULL;
		}
		memcpy(last, part.p, part.n);
		last[part.n] = '\0';
	}
	if (!at->is_dir) {
		errno = ENOTDIR;
		return NULL;
	}
	return at;
}

static struct sim_node *lookup(struct sim_node *dir, const char *name)
{
	struct sim_name *found;

	if (strcmp(name, ".") == 0)
		return dir;
	found = *find_name(&dir->now_names, name);
	if (found == NULL)
		errno = ENOENT;
	return found != NULL ? found->node : NULL;
}

static int new_fd(struct sim_node *node)
{
	for (int i = 0; i < FD_MAX; i++) {
		if (sim.open[i].node == NULL) {
			sim.open[i] = (struct sim_open){.node = node};
			return FD_BASE + i;
		}
	}
	errno = EMFILE;
	return -1;
}

int os_openat(int dirfd, const char *path, int flags, mode_t mode)
{
	char last[256];
	struct sim_node *dir, *node;

	if (!enter())
		return -1;
	dir = walk_to(dirfd, path, last);
	if (dir == NULL)
		return -1;
	node = lookup(dir, last);
	if (node == NULL && (flags & O_CREAT) != 0) {
		node = new_node(false, mode);
		change_part(add_change(), dir, last, node);
	} else if (node == NULL) {
		return -1;
	} else if ((flags & O_CREAT) != 0 && (flags & O_EXCL) != 0) {
		errno = EEXIST;
		return -1;
	}
	if ((flags & O_DIRECTORY) != 0 && !node->is_dir) {
		errno = ENOTDIR;
		return -1;
	}
	if ((flags & O_TRUNC) != 0 && node->now_size > 0)
		set_size(node, 0);
	return new_fd(node);
}

int os_close(int fd)
{
	struct sim_open *o = opened(fd);

	if (o == NULL)
		return -1;
	memset(o, 0, sizeof(*o)); /* gone even when the call fails */
	return enter() ? 0 : -1;
}

ssize_t os_pread(int fd, void *buf, size_t n, off_t offset)
{
	struct sim_open *o;
	uint64_t at = (uint64_t)offset;

	if (!enter() || (o = opened(fd)) == NULL)
		return -1;
	if (at >= o->node->now_size)
		return 0;
	if (n > o->node->now_size - at)
		n = (size_t)(o->node->now_size - at);
	memcpy(buf, o->node->now + at, n);
	return (ssize_t)n;
}

ssize_t os_read(int fd, void *buf, size_t n)
{
	struct sim_open *o = opened(fd);
	ssize_t got = o != NULL ? os_pread(fd, buf, n, (off_t)o->position) : -1;

	if (got > 0)
		o->position += (uint64_t)got;
	return got;
}

ssize_t os_read_full(int fd, void *buf, size_t n)
{
	return os_read(fd, buf, n);
}

ssize_t os_pread_cached(int fd, void *buf, size_t n, off_t offset)
{
	return os_pread(fd, buf, n, offset);
}

ssize_t os_pread_full(int fd, void *buf, size_t n, off_t offset)
{
	return os_pread(fd, buf, n, offset);
}

int os_pwritev_full(int fd, struct iovec *iov, int count, off_t offset)
{
	struct sim_open *o;

	if (!enter() || (o = opened(fd)) == NULL)
		return -1;
	for (int i = 0; i < count; i++) {
		if (write_at(o->node, iov[i].iov_base, iov[i].iov_len, (uint64_t)offset) < 0)
			return -1;
		offset += (off_t)iov[i].iov_len;
	}
	return 0;
}

int os_pwrite_full(int fd, const void *buf, size_t n, off_t offset)
{
	struct iovec iov = {(void *)buf, n};

	return os_pwritev_full(fd, &iov, 1, offset);
}

int os_write_full(int fd, const void *buf, size_t n)
{
	struct sim_open *o = opened(fd);

	if (o == NULL || os_pwrite_full(fd, buf, n, (off_t)o->position) < 0)
		return -1;
	o->position += n;
	return 0;
}

ssize_t os_write(int fd, const void *buf, size_t n)
{
	return os_write_full(fd, buf, n) < 0 ? -1 : (ssize_t)n;
}

int os_fsync(int fd)
{
	struct sim_open *o = opened(fd);
	bool good = enter();

	if (o == NULL)
		return -1;
	if (!good) {
		/* some of it arrived; after an error the rest counts as clean and never will */
		if (!sim.lie && (!sim.off || sim.calls == sim.off_at))
			keep_some(o->node);
		if (!sim.off)
			forget_writes(o->node);
		errno = sim.off ? EIO : sim.fail_errno;
		return -1;
	}
	if (!sim.lie)
		keep_all(o->node);
	return 0;
}

int os_fdatasync(int fd)
{
	return os_fsync(fd);
}

/* Any part of what was written may be durable at any time; here as little as with no such call. */
int os_write_out(int fd, off_t from, off_t n, bool wait)
{
	struct sim_open *o = opened(fd);
	bool good = enter();

	(void)from;
	(void)n;
	(void)wait;
	if (o == NULL)
		return -1;
	if (good)
		return 0;
	if (!sim.off)
		forget_writes(o->node);
	errno = sim.off ? EIO : sim.fail_errno;
	return -1;
}

static bool touches(const struct sim_change *c, const struct sim_node *dir)
{
	return c->dir[0] == dir || (c->parts > 1 && c->dir[1] == dir);
}

static bool share_name(const struct sim_change *a, const struct sim_change *b)
{
	for (int i = 0; i < a->parts; i++)
		for (int k = 0; k < b->parts; k++)
			if (a->dir[i] == b->dir[k] && strcmp(a->name[i], b->name[k]) == 0)
				return true;
	return false;
}

/* choose_changes - those of this directory, and whatever came before them to the same names. */
static void choose_changes(const struct sim_node *dir, bool *chosen)
{
	for (size_t i = sim.change_count; i-- > 0;) {
		chosen[i] = touches(&sim.changes[i], dir);
		for (size_t k = i + 1; !chosen[i] && k < sim.change_count; k++)
			chosen[i] = chosen[k] && share_name(&sim.changes[i], &sim.changes[k]);
	}
}

int os_sync_dir(int dirfd)
{
	struct sim_open *o = opened(dirfd);
	size_t kept = 0;
	bool *chosen;

	if (!enter() || o == NULL)
		return -1;
	if (sim.lie)
		return 0;
	chosen = must(calloc(sim.change_count + 1, sizeof(*chosen)));
	choose_changes(o->node, chosen);
	for (size_t i = 0; i < sim.change_count; i++) {
		if (chosen[i]) {
			keep_change(&sim.changes[i]);
			free_change(&sim.changes[i]);
		} else {
			sim.changes[kept++] = sim.changes[i];
		}
	}
	sim.change_count = kept;
	free(chosen);
	return 0;
}

int os_preallocate(int fd, off_t size)
{
	struct sim_open *o;

	if (!enter() || (o = opened(fd)) == NULL)
		return -1;
	return (uint64_t)size > o->node->now_size ? set_size(o->node, (uint64_t)size) : 0;
}

int os_ftruncate(int fd, off_t size)
{
	struct sim_open *o;

	if (!enter() || (o = opened(fd)) == NULL)
		return -1;
	return set_size(o->node, (uint64_t)size);
}

static void fill_stat(const struct sim_node *n, struct stat *st)
{
	memset(st, 0, sizeof(*st));
	st->st_ino = n->number;
	st->st_mode = n->mode;
	st->st_nlink = 1;
	st->st_size = (off_t)n->now_size;
	st->st_mtim.tv_sec = n->mtime_us / 1000000;
	st->st_mtim.tv_nsec = n->mtime_us % 1000000 * 1000;
}

int os_fstat(int fd, struct stat *st)
{
	struct sim_open *o;

	if (!enter() || (o = opened(fd)) == NULL)
		return -1;
	fill_stat(o->node, st);
	return 0;
}

int os_fstatat(int dirfd, const char *path, struct stat *st, int flags)
{
	char last[256];
	struct sim_node *dir, *node;

	(void)flags;
	if (!enter() || (dir = walk_to(dirfd, path, last)) == NULL ||
	    (node = lookup(dir, last)) == NULL)
		return -1;
	fill_stat(node, st);
	return 0;
}

static int rename_node(int from_dir, const char *from, int to_dir, const char *to, bool replace)
{
	char from_name[256], to_name[256];
	struct sim_node *a, *b, *node;
	struct sim_change *c;

	if (!enter() || (a = walk_to(from_dir, from, from_name)) == NULL ||
	    (b = walk_to(to_dir, to, to_name)) == NULL || (node = lookup(a, from_name)) == NULL)
		return -1;
	if (!replace && *find_name(&b->now_names, to_name) != NULL) {
		errno = EEXIST;
		return -1;
	}
	c = add_change();
	change_part(c, a, from_name, NULL);
	change_part(c, b, to_name, node);
	return 0;
}

int os_renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	return rename_node(from_dir, from, to_dir, to, true);
}

int os_renameat_noreplace(int from_dir, const char *from, int to_dir, const char *to)
{
	return rename_node(from_dir, from, to_dir, to, false);
}

int os_linkat(int from_dir, const char *from, int to_dir, const char *to)
{
	char from_name[256], to_name[256];
	struct sim_node *a, *b, *node;

	if (!enter() || (a = walk_to(from_dir, from, from_name)) == NULL ||
	    (b = walk_to(to_dir, to, to_name)) == NULL || (node = lookup(a, from_name)) == NULL)
		return -1;
	if (*find_name(&b->now_names, to_name) != NULL) {
		errno = EEXIST;
		return -1;
	}
	change_part(add_change(), b, to_name, node);
	return 0;
}

int os_unlinkat(int dirfd, const char *path, int flags)
{
	char last[256];
	struct sim_node *dir;

	(void)flags;
	if (!enter() || (dir = walk_to(dirfd, path, last)) == NULL || lookup(dir, last) == NULL)
		return -1;
	change_part(add_change(), dir, last, NULL);
	return 0;
}

int os_mkdirat(int dirfd, const char *path, mode_t mode)
{
	char last[256];
	struct sim_node *dir;

	if (!enter() || (dir = walk_to(dirfd, path, last)) == NULL)
		return -1;
	if (strcmp(last, ".") == 0 || *find_name(&dir->now_names, last) != NULL) {
		errno = EEXIST;
		return -1;
	}
	change_part(add_change(), dir, last, new_node(true, mode));
	return 0;
}

int os_fchmod(int fd, mode_t mode)
{
	struct sim_open *o;

	if (!enter() || (o = opened(fd)) == NULL)
		return -1;
	o->node->mode = (o->node->mode & S_IFMT) | (mode & 07777);
	return 0;
}

int os_fchown(int fd, uid_t uid, gid_t gid)
{
	(void)uid;
	(void)gid;
	return enter() && opened(fd) != NULL ? 0 : -1;
}

int os_set_mtime(int dirfd, const char *path, int64_t mtime_us)
{
	char last[256];
	struct sim_node *dir, *node;

	if (!enter() || (dir = walk_to(dirfd, path, last)) == NULL ||
	    (node = lookup(dir, last)) == NULL)
		return -1;
	node->mtime_us = mtime_us;
	return 0;
}

int os_free_bytes(int fd, uint64_t *bytes, uint64_t *inodes)
{
	if (!enter() || opened(fd) == NULL)
		return -1;
	*bytes = sim.capacity == 0 ? UINT64_MAX / 2 :
				     (sim_disk_used() < sim.capacity ? sim.capacity - sim_disk_used() : 0);
	*inodes = UINT64_MAX;
	return 0;
}

/* one process: its record locks never collide */
int os_lock_record(int fd)
{
	return enter() && opened(fd) != NULL ? 0 : -1;
}

int os_lock(int fd, bool exclusive, bool wait)
{
	struct sim_open *o;

	if (!enter() || (o = opened(fd)) == NULL)
		return -1;
	for (int i = 0; i < FD_MAX; i++) {
		const struct sim_open *other = &sim.open[i];

		if (other == o || other->node != o->node || other->lock == 0)
			continue;
		if (exclusive || other->lock == 2) {
			CHECK(!wait); /* one thread: it would wait for ever */
			errno = EWOULDBLOCK;
			return -1;
		}
	}
	o->lock = exclusive ? 2 : 1;
	return 0;
}

int os_unlock(int fd)
{
	struct sim_open *o;

	if (!enter() || (o = opened(fd)) == NULL)
		return -1;
	o->lock = 0;
	return 0;
}

struct os_dir *os_dir_open(int dirfd, const char *path)
{
	char last[256];
	struct sim_node *at, *dir;
	struct os_dir *d;

	if (!enter() || (at = walk_to(dirfd, path, last)) == NULL ||
	    (dir = lookup(at, last)) == NULL)
		return NULL;
	d = must(calloc(1, sizeof(*d)));
	for (struct sim_name *n = dir->now_names; n != NULL; n = n->next) {
		d->names = must(reallocarray(d->names, d->count + 1, sizeof(*d->names)));
		d->names[d->count++] = must(strdup(n->name));
	}
	return d;
}

int os_dir_next(struct os_dir *dir, const char **name)
{
	if (!enter())
		return -1;
	if (dir->at == dir->count)
		return 0;
	*name = dir->names[dir->at++];
	return 1;
}

void os_dir_close(struct os_dir **dir)
{
	if (*dir == NULL)
		return;
	for (size_t i = 0; i < (*dir)->count; i++)
		free((*dir)->names[i]);
	free((*dir)->names);
	free(*dir);
	*dir = NULL;
}
