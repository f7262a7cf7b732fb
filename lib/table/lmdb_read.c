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

/* Of each kind, for a reader that is not asked to keep more. */
#define KEPT_BRANCHES 1024
#define KEPT_LEAVES 64

/* Pages that were read, each where its number says. */
struct kept {
	size_t slots;
	uint64_t *numbers; /* 0: none */
	char **bytes;
};

/*
 * What is known of the file: `meta`, the newest, and the pages of its transaction. It holds while the file has
 * the same time of change (it may be copied over with another of the same transaction number) and nothing
 * was written to the meta page whose turn is next.
 */
struct lmdb_reader {
	int fd;
	uint32_t page_size;
	const char *page; /* the page being looked at, among those kept */
	char *metas; /* the first page and the beginning of the second */
	bool known;
	bool held; /* lmdb_reader_hold */
	struct meta meta;
	struct timespec changed;
	uint64_t next_txnid; /* in the meta page whose turn is next */
	struct kept branches;
	struct kept leaves;
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

/* next_turn - where the number of the next transaction will be written. */
static size_t next_turn(const struct lmdb_reader *reader)
{
	return ((reader->meta.txnid & 1) == 0 ? reader->page_size : 0) + PAGE_HEADER +
	       offsetof(struct meta, txnid);
}

/* look_again - what is known is what the file holds now; false: it is damaged. */
static bool look_again(struct lmdb_reader *reader)
{
	struct stat st;

	if (reader->held)
		return true;
	if (os_fstat(reader->fd, &st) < 0)
		return false;
	if (reader->known && st.st_mtim.tv_sec == reader->changed.tv_sec &&
	    st.st_mtim.tv_nsec == reader->changed.tv_nsec)
		return true;
	memset(reader->branches.numbers, 0, reader->branches.slots * sizeof(uint64_t));
	memset(reader->leaves.numbers, 0, reader->leaves.slots * sizeof(uint64_t));
	reader->changed = st.st_mtim;
	reader->known = newest_meta(reader, &reader->meta);
	reader->next_txnid = get64(reader->metas + next_turn(reader));
	return reader->known;
}

/* settled - did the file stay in the state that is known? A transaction's pages stand until the next but one. */
static bool settled(struct lmdb_reader *reader)
{
	char now[8];

	if (reader->held)
		return true;
	reader->known = os_pread_full(reader->fd, now, sizeof(now), (off_t)next_turn(reader)) ==
				(ssize_t)sizeof(now) &&
			get64(now) == reader->next_txnid;
	return reader->known;
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

static void kept_init(struct kept *kept, size_t slots)
{
	kept->slots = slots;
	kept->numbers = calloc(slots, sizeof(*kept->numbers));
	kept->bytes = calloc(slots, sizeof(*kept->bytes));
	if (kept->numbers == NULL || kept->bytes == NULL)
		out_of_memory();
}

static void kept_free(struct kept *kept)
{
	for (size_t i = 0; i < kept->slots; i++)
		free(kept->bytes[i]);
	free(kept->bytes);
	free(kept->numbers);
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
	kept_init(&reader->branches, KEPT_BRANCHES);
	kept_init(&reader->leaves, KEPT_LEAVES);
	reader->metas = malloc(reader->page_size + META_SIZE);
	if (reader->metas == NULL)
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
	kept_free(&(*reader)->branches);
	kept_free(&(*reader)->leaves);
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

/* slot_of - branches lie at regular distances, so the number itself would leave most slots empty. */
static size_t slot_of(const struct kept *kept, uint64_t number)
{
	uint64_t spread = number * 0x9e3779b97f4a7c15u >> 32;

	return (size_t)(spread * kept->slots >> 32);
}

/* read_page - make a branch or leaf the page being looked at. */
static enum lmdb_outcome read_page(struct lmdb_reader *reader, uint64_t number, bool leaf,
				   unsigned *count)
{
	struct kept *kept = leaf ? &reader->leaves : &reader->branches;
	size_t slot = slot_of(kept, number);
	off_t offset;

	if (number == 0 || kept->numbers[slot] != number) {
		kept->numbers[slot] = 0;
		if (kept->bytes[slot] == NULL && (kept->bytes[slot] = malloc(reader->page_size)) == NULL)
			out_of_memory();
		if (!page_offset(reader, number, &offset) ||
		    os_pread_full(reader->fd, kept->bytes[slot], reader->page_size, offset) !=
			(ssize_t)reader->page_size)
			return damaged(reader, "truncated LMDB file: a page is missing");
		kept->numbers[slot] = number;
	}
	reader->page = kept->bytes[slot];
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

void lmdb_reader_hold(struct lmdb_reader *reader)
{
	reader->held = look_again(reader);
}

bool lmdb_reader_release(struct lmdb_reader *reader)
{
	reader->held = false;
	return reader->known && settled(reader);
}

enum lmdb_outcome lmdb_get(struct lmdb_reader *reader, struct slice key, struct arena *arena,
			   struct slice *value, const char **why)
{
	enum lmdb_outcome outcome;

	*value = SL_NULL;
	if (key.n == 0 || key.n > LMDB_KEY_MAX)
		return LMDB_NONE;
	for (int i = 0; i < TRIES; i++) {
		*why = "damaged LMDB file: meta pages";
		if (!look_again(reader))
			return LMDB_DAMAGED;
		outcome = get_once(reader, &reader->meta, key, arena, value);
		*why = reader->why;
		if (settled(reader))
			return outcome;
	}
	*why = "a writer keeps the LMDB file busy";
	return LMDB_BUSY;
}

enum lmdb_outcome lmdb_after(struct lmdb_reader *reader, struct slice key, struct arena *arena,
			     struct slice *next_key, struct slice *value, const char **why)
{
	enum lmdb_outcome outcome;

	*next_key = *value = SL_NULL;
	for (int i = 0; i < TRIES; i++) {
		*why = "damaged LMDB file: meta pages";
		if (!look_again(reader))
			return LMDB_DAMAGED;
		outcome = after_once(reader, &reader->meta, key, arena, next_key, value);
		*why = reader->why;
		if (settled(reader))
			return outcome;
	}
	*why = "a writer keeps the LMDB file busy";
	return LMDB_BUSY;
}
