/* SPDX-License-Identifier: ISC */
#include "table/lmdb_read.h"
#include "base/check.h"
#include "os/file.h"

#include <stdlib.h>

/* The file format, as lmdb 0.9 writes it on a 64-bit machine; numbers in the machine's own order. */
#define META_MAGIC 0xBEEFC0DEu
#define META_VERSION 1u
#define NO_PAGE UINT64_MAX
#define PAGE_HEADER 16u
#define PAGE_SIZE_MIN 512u
#define PAGE_SIZE_MAX 65536u
#define NODE_HEADER 8u
#define P_BRANCH 0x01u
#define P_LEAF 0x02u
#define P_OVERFLOW 0x04u
#define P_META 0x08u
#define P_KINDS 0x6fu
#define F_BIGDATA 0x01u
#define F_SUBDATA 0x02u
#define F_DUPDATA 0x04u
#define TRIES 20

struct meta_db {
	uint32_t pad; /* of the free list's database: the page size */
	uint16_t flags;
	uint16_t depth;
	uint64_t branch_pages;
	uint64_t leaf_pages;
	uint64_t overflow_pages;
	uint64_t entries;
	uint64_t root;
};

struct meta {
	uint32_t magic;
	uint32_t version;
	uint64_t address;
	uint64_t mapsize;
	struct meta_db free_db;
	struct meta_db main_db;
	uint64_t last_page;
	uint64_t txnid;
};

_Static_assert(sizeof(struct meta_db) == 48, "as on disk");
_Static_assert(sizeof(struct meta) == 136, "as on disk");
#define META_SIZE (PAGE_HEADER + sizeof(struct meta))

/*
 * Branch pages are kept while the file stays in one state: same transaction, same time of change (for
 * a file that was copied over with another of the same transaction number).
 */
#define KEPT_PAGES 256

struct lmdb_reader {
	int fd;
	uint32_t page_size;
	const char *page; /* the page being looked at: one of those below */
	char *leaf;
	char *metas; /* the first page and the beginning of the second */
	uint64_t kept_txnid;
	struct timespec kept_time;
	uint64_t kept[KEPT_PAGES]; /* page numbers; 0: none */
	char *kept_bytes[KEPT_PAGES];
	const char *why;
};

/* A place in the tree: the pages from the root to a leaf, and the index of the node in each. */
struct step {
	uint64_t page;
	unsigned index;
	unsigned count;
};

struct path {
	unsigned depth;
	struct step steps[LMDB_DEPTH_MAX];
};

static uint16_t get16(const char *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static uint64_t get64(const char *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static enum lmdb_outcome damaged(struct lmdb_reader *reader, const char *why)
{
	reader->why = why;
	return LMDB_DAMAGED;
}

/* check_meta - take a meta page apart; false when it is none. */
static bool check_meta(const char *page, struct meta *meta)
{
	uint32_t size;

	memcpy(meta, page + PAGE_HEADER, sizeof(*meta));
	size = meta->free_db.pad;
	return (get16(page + 10) & P_META) != 0 && meta->magic == META_MAGIC &&
	       meta->version == META_VERSION && size >= PAGE_SIZE_MIN && size <= PAGE_SIZE_MAX &&
	       (size & (size - 1)) == 0;
}

/* first_meta - before the page size is known. */
static bool first_meta(int fd, struct meta *meta)
{
	char page[META_SIZE];

	return os_pread_full(fd, page, sizeof(page), 0) == (ssize_t)sizeof(page) &&
	       check_meta(page, meta);
}

/* newest_meta - of the two, the one with the later transaction. */
static bool newest_meta(const struct lmdb_reader *reader, struct meta *meta)
{
	size_t want = reader->page_size + META_SIZE;
	struct meta other;
	bool first;

	if (os_pread_full(reader->fd, reader->metas, want, 0) != (ssize_t)want)
		return false;
	first = check_meta(reader->metas, meta);
	if (!check_meta(reader->metas + reader->page_size, &other))
		return first && meta->free_db.pad == reader->page_size;
	if (!first || other.txnid > meta->txnid)
		*meta = other;
	return meta->free_db.pad == reader->page_size;
}

/* forget_pages - when the file is not in the state any more that they were read in. */
static void forget_pages(struct lmdb_reader *reader, const struct meta *meta)
{
	struct stat st = {.st_size = 0};

	if (os_fstat(reader->fd, &st) == 0 && meta->txnid == reader->kept_txnid &&
	    st.st_mtim.tv_sec == reader->kept_time.tv_sec &&
	    st.st_mtim.tv_nsec == reader->kept_time.tv_nsec)
		return;
	memset(reader->kept, 0, sizeof(reader->kept));
	reader->kept_txnid = meta->txnid;
	reader->kept_time = st.st_mtim;
}

/* whole - are there at least as many bytes as the pages in use fill? */
static bool whole(int fd, const struct meta *meta)
{
	uint64_t pages = 2, bytes;
	const struct meta_db *db = &meta->main_db;
	struct stat st;

	if (os_fstat(fd, &st) < 0 || __builtin_add_overflow(pages, db->branch_pages, &pages) ||
	    __builtin_add_overflow(pages, db->leaf_pages, &pages) ||
	    __builtin_add_overflow(pages, db->overflow_pages, &pages) ||
	    __builtin_mul_overflow(pages, (uint64_t)meta->free_db.pad, &bytes))
		return false;
	return bytes <= (uint64_t)st.st_size;
}

enum lmdb_outcome lmdb_reader_create(int fd, struct lmdb_reader **out, const char **why)
{
	struct lmdb_reader *reader;
	struct meta meta;

	*out = NULL;
	*why = "not an LMDB file";
	if (!first_meta(fd, &meta))
		return LMDB_DAMAGED;
	reader = calloc(1, sizeof(*reader));
	if (reader == NULL)
		out_of_memory();
	reader->fd = fd;
	reader->page_size = meta.free_db.pad;
	reader->leaf = malloc(reader->page_size);
	reader->metas = malloc(reader->page_size + META_SIZE);
	if (reader->leaf == NULL || reader->metas == NULL)
		out_of_memory();
	if (!newest_meta(reader, &meta))
		*why = "damaged LMDB file: meta pages";
	else if (!whole(fd, &meta))
		*why = "truncated LMDB file";
	else if (meta.main_db.flags != 0)
		*why = "an LMDB file, but not a simple one: its main database has flags";
	else
		*out = reader;
	if (*out == NULL)
		lmdb_reader_destroy(&reader);
	return *out ? LMDB_FOUND : LMDB_DAMAGED;
}

void lmdb_reader_destroy(struct lmdb_reader **reader)
{
	if (*reader == NULL)
		return;
	for (size_t i = 0; i < KEPT_PAGES; i++)
		free((*reader)->kept_bytes[i]);
	free((*reader)->leaf);
	free((*reader)->metas);
	free(*reader);
	*reader = NULL;
}

/* page_offset - where a page begins; false when that cannot be. */
static bool page_offset(const struct lmdb_reader *reader, uint64_t page, off_t *offset)
{
	uint64_t bytes;

	if (page < 2 || __builtin_mul_overflow(page, (uint64_t)reader->page_size, &bytes) ||
	    bytes > (uint64_t)INT64_MAX - LMDB_VALUE_MAX)
		return false;
	*offset = (off_t)bytes;
	return true;
}

/* check_page - is it what it should be, and do its nodes lie within it? *count: how many. */
static enum lmdb_outcome check_page(struct lmdb_reader *reader, uint64_t number, bool leaf,
				    unsigned *count)
{
	const char *page = reader->page;
	unsigned lower = get16(page + 12), upper = get16(page + 14);

	if (get64(page) != number || (get16(page + 10) & P_KINDS) != (leaf ? P_LEAF : P_BRANCH))
		return damaged(reader, "damaged LMDB file: not the page that should be there");
	if (lower < PAGE_HEADER || lower > upper || upper > reader->page_size || (lower & 1))
		return damaged(reader, "damaged LMDB file: page header");
	*count = (lower - PAGE_HEADER) / 2;
	if (*count == 0)
		return damaged(reader, "damaged LMDB file: empty page");
	return LMDB_FOUND;
}

/* room_for - where a branch page is kept. */
static char *room_for(struct lmdb_reader *reader, uint64_t number)
{
	size_t slot = number % KEPT_PAGES;

	reader->kept[slot] = 0;
	if (reader->kept_bytes[slot] == NULL)
		reader->kept_bytes[slot] = malloc(reader->page_size);
	if (reader->kept_bytes[slot] == NULL)
		out_of_memory();
	return reader->kept_bytes[slot];
}

/* read_page - make a branch or leaf the page being looked at. */
static enum lmdb_outcome read_page(struct lmdb_reader *reader, uint64_t number, bool leaf,
				   unsigned *count)
{
	size_t slot = number % KEPT_PAGES;
	char *room;
	off_t offset;

	if (!leaf && number != 0 && reader->kept[slot] == number) {
		reader->page = reader->kept_bytes[slot];
		return check_page(reader, number, leaf, count);
	}
	room = leaf ? reader->leaf : room_for(reader, number);
	if (!page_offset(reader, number, &offset) ||
	    os_pread_full(reader->fd, room, reader->page_size, offset) !=
		(ssize_t)reader->page_size)
		return damaged(reader, "truncated LMDB file: a page is missing");
	reader->page = room;
	if (!leaf)
		reader->kept[slot] = number;
	return check_page(reader, number, leaf, count);
}

struct node {
	struct slice key;
	uint64_t number; /* branch: child page; leaf: size of the value */
	unsigned flags;
	size_t data; /* offset of the value in the page */
};

/* read_node - the index-th node of the page at hand. */
static enum lmdb_outcome read_node(struct lmdb_reader *reader, bool leaf, unsigned index,
				   struct node *node)
{
	size_t at = get16(reader->page + PAGE_HEADER + 2 * (size_t)index);
	const char *p = reader->page + at;
	size_t key_size;

	if (at < PAGE_HEADER || at + NODE_HEADER > reader->page_size)
		return damaged(reader, "damaged LMDB file: node offset");
	key_size = get16(p + 6);
	if (at + NODE_HEADER + key_size > reader->page_size)
		return damaged(reader, "damaged LMDB file: key size");
	node->flags = leaf ? get16(p + 4) : 0;
	node->number = get16(p) | (uint64_t)get16(p + 2) << 16;
	if (!leaf)
		node->number |= (uint64_t)get16(p + 4) << 32;
	node->key = slice(p + NODE_HEADER, key_size);
	node->data = at + NODE_HEADER + key_size;
	return LMDB_FOUND;
}

/*
 * search_page - the first node whose key is not less than `key` (`after`: greater); *index is the
 * count when all are less. The first key of a branch stands for "less than all".
 */
static enum lmdb_outcome search_page(struct lmdb_reader *reader, bool leaf, unsigned count,
				     struct slice key, bool after, unsigned *index)
{
	unsigned low = leaf ? 0 : 1, high = count;

	while (low < high) {
		unsigned middle = low + (high - low) / 2;
		struct node node;
		int order;

		if (read_node(reader, leaf, middle, &node) != LMDB_FOUND)
			return LMDB_DAMAGED;
		order = slice_cmp(node.key, key);
		if (order < 0 || (order == 0 && after))
			low = middle + 1;
		else
			high = middle;
	}
	*index = low;
	return LMDB_FOUND;
}

/* child_index - in a branch, the child that holds `key`: the last whose key is not greater. */
static enum lmdb_outcome child_index(struct lmdb_reader *reader, unsigned count, struct slice key,
				     unsigned *index)
{
	if (search_page(reader, false, count, key, true, index) != LMDB_FOUND)
		return LMDB_DAMAGED;
	--*index;
	return LMDB_FOUND;
}

/* descend - from path->steps[path->depth].page down to a leaf; leftmost, or towards a key. */
static enum lmdb_outcome descend(struct lmdb_reader *reader, unsigned depth, struct slice key,
				 struct path *path)
{
	struct node node;

	for (; path->depth + 1 < depth; path->depth++) {
		struct step *step = &path->steps[path->depth];

		if (read_page(reader, step->page, false, &step->count) != LMDB_FOUND)
			return LMDB_DAMAGED;
		step->index = 0;
		if (!slice_is_null(key) &&
		    child_index(reader, step->count, key, &step->index) != LMDB_FOUND)
			return LMDB_DAMAGED;
		if (read_node(reader, false, step->index, &node) != LMDB_FOUND)
			return LMDB_DAMAGED;
		path->steps[path->depth + 1].page = node.number;
	}
	return read_page(reader, path->steps[path->depth].page, true,
			 &path->steps[path->depth].count);
}

/* find_leaf - the leaf where `key` is or would be, and the index there. */
static enum lmdb_outcome find_leaf(struct lmdb_reader *reader, const struct meta *meta,
				   struct slice key, bool after, struct path *path)
{
	struct step *leaf;

	if (meta->main_db.flags != 0)
		return damaged(reader, "an LMDB file, but not a simple one");
	if (meta->main_db.root == NO_PAGE)
		return LMDB_NONE;
	if (meta->main_db.depth == 0 || meta->main_db.depth > LMDB_DEPTH_MAX)
		return damaged(reader, "damaged LMDB file: depth of the tree");
	path->depth = 0;
	path->steps[0].page = meta->main_db.root;
	if (descend(reader, meta->main_db.depth, key, path) != LMDB_FOUND)
		return LMDB_DAMAGED;
	leaf = &path->steps[path->depth];
	leaf->index = 0;
	if (slice_is_null(key))
		return LMDB_FOUND;
	return search_page(reader, true, leaf->count, key, after, &leaf->index);
}

/* read_overflow - a value that has pages of its own. */
static enum lmdb_outcome read_overflow(struct lmdb_reader *reader, uint64_t page, size_t size,
				       struct arena *arena, struct slice *value)
{
	char head[PAGE_HEADER], *data;
	off_t offset;
	struct stat st;

	if (!page_offset(reader, page, &offset) ||
	    os_pread_full(reader->fd, head, sizeof(head), offset) != (ssize_t)sizeof(head) ||
	    get64(head) != page || (get16(head + 10) & P_KINDS) != P_OVERFLOW)
		return damaged(reader, "damaged LMDB file: overflow page");
	/* no memory is asked for that the file could not fill */
	if (os_fstat(reader->fd, &st) < 0 || (uint64_t)offset + size > (uint64_t)st.st_size)
		return damaged(reader, "truncated LMDB file: a value is cut");
	data = arena_alloc(arena, size + 1);
	if (os_pread_full(reader->fd, data, size, offset + PAGE_HEADER) != (ssize_t)size)
		return damaged(reader, "truncated LMDB file: a value is cut");
	*value = slice(data, size);
	return LMDB_FOUND;
}

static enum lmdb_outcome read_value(struct lmdb_reader *reader, const struct node *node,
				    struct arena *arena, struct slice *value)
{
	if (node->flags & (F_SUBDATA | F_DUPDATA))
		return damaged(reader, "an LMDB file, but not a simple one: databases within");
	if (node->number > LMDB_VALUE_MAX)
		return damaged(reader, "damaged LMDB file: size of a value");
	if (node->flags & F_BIGDATA) {
		if (node->data + 8 > reader->page_size)
			return damaged(reader, "damaged LMDB file: overflow node");
		return read_overflow(reader, get64(reader->page + node->data), node->number, arena,
				     value);
	}
	if (node->number > reader->page_size - node->data)
		return damaged(reader, "damaged LMDB file: size of a value");
	*value = arena_dup(arena, slice(reader->page + node->data, node->number));
	return LMDB_FOUND;
}

/* get_once - one look at one state of the file. */
static enum lmdb_outcome get_once(struct lmdb_reader *reader, const struct meta *meta,
				  struct slice key, struct arena *arena, struct slice *value)
{
	struct path path;
	struct step *leaf;
	struct node node;
	enum lmdb_outcome outcome = find_leaf(reader, meta, key, false, &path);

	if (outcome != LMDB_FOUND)
		return outcome;
	leaf = &path.steps[path.depth];
	if (leaf->index >= leaf->count)
		return LMDB_NONE;
	if (read_node(reader, true, leaf->index, &node) != LMDB_FOUND)
		return LMDB_DAMAGED;
	if (!slice_eq(node.key, key))
		return LMDB_NONE;
	return read_value(reader, &node, arena, value);
}

/* next_leaf - behind the last node of a leaf: the first of the next. */
static enum lmdb_outcome next_leaf(struct lmdb_reader *reader, unsigned depth, struct path *path)
{
	struct node node;

	while (path->depth > 0) {
		struct step *step = &path->steps[--path->depth];
		unsigned count;

		if (step->index + 1 >= step->count)
			continue;
		step->index++;
		if (read_page(reader, step->page, false, &count) != LMDB_FOUND)
			return LMDB_DAMAGED;
		if (step->index >= count)
			return damaged(reader, "the LMDB file changes too fast");
		if (read_node(reader, false, step->index, &node) != LMDB_FOUND)
			return LMDB_DAMAGED;
		path->steps[++path->depth].page = node.number;
		path->steps[path->depth].index = 0;
		return descend(reader, depth, SL_NULL, path);
	}
	return LMDB_NONE;
}

static enum lmdb_outcome after_once(struct lmdb_reader *reader, const struct meta *meta,
				    struct slice key, struct arena *arena, struct slice *next_key,
				    struct slice *value)
{
	struct path path;
	struct step *leaf;
	struct node node;
	enum lmdb_outcome outcome = find_leaf(reader, meta, key, true, &path);

	if (outcome != LMDB_FOUND)
		return outcome;
	leaf = &path.steps[path.depth];
	if (leaf->index >= leaf->count) {
		outcome = next_leaf(reader, meta->main_db.depth, &path);
		if (outcome != LMDB_FOUND)
			return outcome;
		leaf = &path.steps[path.depth];
		leaf->index = 0;
	}
	if (read_node(reader, true, leaf->index, &node) != LMDB_FOUND)
		return LMDB_DAMAGED;
	/* else a damaged tree could lead round in a circle */
	if (!slice_is_null(key) && slice_cmp(node.key, key) <= 0)
		return damaged(reader, "damaged LMDB file: keys out of order");
	*next_key = arena_dup(arena, node.key);
	return read_value(reader, &node, arena, value);
}

/* settled - did the file stay in the state that `meta` describes? */
static bool settled(const struct lmdb_reader *reader, const struct meta *meta)
{
	struct meta now;

	return newest_meta(reader, &now) && now.txnid == meta->txnid;
}

enum lmdb_outcome lmdb_get(struct lmdb_reader *reader, struct slice key, struct arena *arena,
			   struct slice *value, const char **why)
{
	enum lmdb_outcome outcome = LMDB_BUSY;
	struct meta meta;

	*value = SL_NULL;
	*why = "a writer keeps the LMDB file busy";
	if (key.n == 0 || key.n > LMDB_KEY_MAX)
		return LMDB_NONE;
	for (int i = 0; i < TRIES; i++) {
		*why = "damaged LMDB file: meta pages";
		if (!newest_meta(reader, &meta))
			return LMDB_DAMAGED;
		forget_pages(reader, &meta);
		outcome = get_once(reader, &meta, key, arena, value);
		*why = reader->why;
		if (settled(reader, &meta))
			return outcome;
	}
	*why = "a writer keeps the LMDB file busy";
	return LMDB_BUSY;
}

enum lmdb_outcome lmdb_after(struct lmdb_reader *reader, struct slice key, struct arena *arena,
			     struct slice *next_key, struct slice *value, const char **why)
{
	enum lmdb_outcome outcome;
	struct meta meta;

	*next_key = *value = SL_NULL;
	for (int i = 0; i < TRIES; i++) {
		*why = "damaged LMDB file: meta pages";
		if (!newest_meta(reader, &meta))
			return LMDB_DAMAGED;
		forget_pages(reader, &meta);
		outcome = after_once(reader, &meta, key, arena, next_key, value);
		*why = reader->why;
		if (settled(reader, &meta))
			return outcome;
	}
	*why = "a writer keeps the LMDB file busy";
	return LMDB_BUSY;
}
