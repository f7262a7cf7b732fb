/* SPDX-License-Identifier: ISC */
#include "table/cdb_read.h"
#include "os/file.h"

/* The file: 256 pairs (position, slots) of hash tables, records, hash tables; numbers little-endian. */
#define TABLES 256u
#define HEADER ((uint64_t)TABLES * 8)
#define RECORD_HEADER 8u
/* So many slots of a hash table are read at once. */
#define SLOTS_AT_ONCE 8u

struct hash_table {
	uint64_t at;
	uint64_t slots;
};

struct cdb_reader {
	int fd;
	uint64_t size;
	uint64_t records_end; /* where the first hash table begins */
	struct hash_table tables[TABLES];
};

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static bool read_at(const struct cdb_reader *reader, void *to, size_t n, uint64_t at)
{
	return os_pread_full(reader->fd, to, n, (off_t)at) == (ssize_t)n;
}

static enum cdb_outcome damaged(const char **why, const char *text)
{
	*why = text;
	return CDB_DAMAGED;
}

/* take_tables - the 256 hash tables lie behind the records and within the file. */
static bool take_tables(struct cdb_reader *reader, const uint8_t *header)
{
	reader->records_end = reader->size;
	for (size_t i = 0; i < TABLES; i++) {
		struct hash_table *table = &reader->tables[i];

		table->at = get32(header + 8 * i);
		table->slots = get32(header + 8 * i + 4);
		if (table->at < HEADER || table->at + 8 * table->slots > reader->size)
			return false;
		if (table->at < reader->records_end)
			reader->records_end = table->at;
	}
	return true;
}

struct cdb_reader *cdb_reader_create(int fd, struct arena *arena, const char **why)
{
	struct cdb_reader *reader = ARENA_NEW(arena, struct cdb_reader);
	uint8_t *header = arena_alloc(arena, HEADER);
	struct stat st;

	reader->fd = fd;
	*why = "not a CDB file, or a truncated one";
	if (os_fstat(fd, &st) < 0 || st.st_size < (off_t)HEADER)
		return NULL;
	reader->size = (uint64_t)st.st_size;
	if (!read_at(reader, header, HEADER, 0) || !take_tables(reader, header))
		return NULL;
	return reader;
}

static uint32_t hash_of(struct slice key)
{
	uint32_t h = 5381;

	for (size_t i = 0; i < key.n; i++)
		h = ((h << 5) + h) ^ (uint8_t)key.p[i];
	return h;
}

/* read_record - sizes of the record's key and value; false: it does not lie among the records. */
static bool read_record(const struct cdb_reader *reader, uint64_t at, uint64_t *key_size, uint64_t *value_size)
{
	uint8_t head[RECORD_HEADER];

	if (at < HEADER || at + RECORD_HEADER > reader->records_end || !read_at(reader, head, sizeof(head), at))
		return false;
	*key_size = get32(head);
	*value_size = get32(head + 4);
	return at + RECORD_HEADER + *key_size + *value_size <= reader->records_end;
}

/* read_part - bytes of a record, into the arena. */
static enum cdb_outcome read_part(const struct cdb_reader *reader, uint64_t at, uint64_t n, struct arena *arena,
				  struct slice *out, const char **why)
{
	char *bytes;

	if (n > CDB_VALUE_MAX)
		return damaged(why, "damaged CDB file: an entry is too large");
	bytes = arena_alloc(arena, n + 1);
	bytes[n] = '\0';
	if (!read_at(reader, bytes, n, at))
		return damaged(why, "truncated CDB file");
	*out = slice(bytes, n);
	return CDB_FOUND;
}

/* compare_record - CDB_FOUND: it is the key's, and here is its value. */
static enum cdb_outcome compare_record(const struct cdb_reader *reader, uint64_t at, struct slice key,
				       struct arena *arena, struct slice *value, const char **why)
{
	uint64_t key_size, value_size;
	enum cdb_outcome outcome;
	struct slice found;

	if (!read_record(reader, at, &key_size, &value_size))
		return damaged(why, "damaged CDB file: a record lies elsewhere");
	if (key_size != key.n)
		return CDB_NONE;
	outcome = read_part(reader, at + RECORD_HEADER, key_size, arena, &found, why);
	if (outcome != CDB_FOUND || !slice_eq(found, key))
		return outcome == CDB_FOUND ? CDB_NONE : outcome;
	return read_part(reader, at + RECORD_HEADER + key_size, value_size, arena, value, why);
}

enum cdb_outcome cdb_reader_get(const struct cdb_reader *reader, struct slice key, struct arena *arena,
				struct slice *value, const char **why)
{
	uint32_t hash = hash_of(key);
	const struct hash_table *table = &reader->tables[hash % TABLES];
	uint64_t slot = table->slots > 0 ? (hash >> 8) % table->slots : 0, have = 0, first = 0;
	uint8_t slots[8 * SLOTS_AT_ONCE];

	for (uint64_t tried = 0; tried < table->slots; tried++, slot = (slot + 1) % table->slots) {
		const uint8_t *p;
		enum cdb_outcome outcome;

		if (have == 0 || slot < first || slot >= first + have) {
			first = slot;
			have = table->slots - slot < SLOTS_AT_ONCE ? table->slots - slot : SLOTS_AT_ONCE;
			if (!read_at(reader, slots, 8 * have, table->at + 8 * slot))
				return damaged(why, "truncated CDB file");
		}
		p = slots + 8 * (slot - first);
		if (get32(p + 4) == 0)
			return CDB_NONE;
		if (get32(p) != hash)
			continue;
		outcome = compare_record(reader, get32(p + 4), key, arena, value, why);
		if (outcome != CDB_NONE)
			return outcome;
	}
	return CDB_NONE;
}

enum cdb_outcome cdb_reader_step(const struct cdb_reader *reader, size_t *cursor, struct arena *arena,
				 struct slice *key, struct slice *value, const char **why)
{
	uint64_t at = *cursor == 0 ? HEADER : *cursor, key_size, value_size;
	enum cdb_outcome outcome;

	if (at >= reader->records_end)
		return CDB_NONE;
	if (!read_record(reader, at, &key_size, &value_size))
		return damaged(why, "damaged CDB file: a record is too long");
	outcome = read_part(reader, at + RECORD_HEADER, key_size, arena, key, why);
	if (outcome == CDB_FOUND)
		outcome = read_part(reader, at + RECORD_HEADER + key_size, value_size, arena, value, why);
	*cursor = (size_t)(at + RECORD_HEADER + key_size + value_size);
	return outcome;
}
