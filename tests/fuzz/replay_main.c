/* SPDX-License-Identifier: ISC */
/*
 * replay_main - runs a fuzz target without a fuzzer: each file given, all files of each directory
 * given, then bounded, seeded mutations of them. Without arguments the target's own corpus is
 * used: fuzz_NAME takes tests/fuzz/corpus/NAME. So every `make check` exercises every target.
 *
 *	fuzz_NAME [-runs=N] [-seed=S] [FILE | DIRECTORY]...
 */
#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define INPUT_LIMIT ((size_t)64 << 10)
#define CORPUS_LIMIT 4096
#define DEFAULT_RUNS 3000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

struct input {
	uint8_t *data;
	size_t n;
};

static struct input corpus[CORPUS_LIMIT];
static size_t corpus_count;
static uint64_t random_state;

/* xorshift64*: the same everywhere for the same seed. */
static uint64_t next_random(void)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return random_state * UINT64_C(2685821657736338717);
}

static size_t below(size_t n)
{
	return n ? (size_t)(next_random() % n) : 0;
}

static bool add_file(const char *path)
{
	FILE *file = fopen(path, "rb");
	struct input input = {.data = malloc(INPUT_LIMIT)};

	if (!file || !input.data || corpus_count == CORPUS_LIMIT) {
		fprintf(stderr, "%s: cannot be used\n", path);
		return false;
	}
	input.n = fread(input.data, 1, INPUT_LIMIT, file);
	fclose(file);
	corpus[corpus_count++] = input;
	return true;
}

static bool add_path(const char *path)
{
	struct dirent **entries;
	struct stat st;
	bool ok = true;
	int count;

	if (stat(path, &st) < 0)
		return false;
	if (!S_ISDIR(st.st_mode))
		return add_file(path);
	count = scandir(path, &entries, NULL, alphasort); /* in order: seeds must mean the same */
	if (count < 0)
		return false;
	for (int i = 0; i < count; i++) {
		char name[4096];

		snprintf(name, sizeof(name), "%s/%s", path, entries[i]->d_name);
		if (ok && entries[i]->d_name[0] != '.')
			ok = add_file(name);
		free(entries[i]);
	}
	free(entries);
	return ok;
}

/* add_own_corpus - by the program's name; the build exports srcdir to tests. */
static bool add_own_corpus(const char *program)
{
	const char *base = strrchr(program, '/');
	const char *top = getenv("srcdir");
	char path[4096];

	base = base ? base + 1 : program;
	base = strncmp(base, "fuzz_", 5) == 0 ? base + 5 : base;
	snprintf(path, sizeof(path), "%s/tests/fuzz/corpus/%s", top ? top : "..", base);
	if (add_path(path))
		return true;
	fprintf(stderr, "%s: no corpus there\n", path);
	return false;
}

static void run(const uint8_t *data, size_t n)
{
	/* An exact copy, so that the sanitizers see a read behind the end. */
	uint8_t *copy = malloc(n ? n : 1);

	if (!copy)
		abort();
	if (n)
		memcpy(copy, data, n);
	LLVMFuzzerTestOneInput(copy, n);
	free(copy);
}

/* change - one mutation in place; returns the new length, at most INPUT_LIMIT. */
static size_t change(uint8_t *data, size_t n)
{
	static const char tokens[] = "\r\n\0\t ${}()[]<>:;,.=\"\\@%?*!#-_09azAZ\x7f\x80\xff";
	size_t at = below(n + 1);
	size_t many = 1 + below(16);
	const struct input *other;

	switch (below(6)) {
	case 0: /* flip a bit */
		if (at < n)
			data[at] ^= (uint8_t)(1u << below(8));
		return n;
	case 1: /* a byte that means something to somebody */
		if (at < n)
			data[at] = (uint8_t)tokens[below(sizeof(tokens) - 1)];
		return n;
	case 2: /* insert one */
		if (n == INPUT_LIMIT)
			return n;
		memmove(data + at + 1, data + at, n - at);
		data[at] = (uint8_t)tokens[below(sizeof(tokens) - 1)];
		return n + 1;
	case 3: /* cut some out */
		many = many < n - at ? many : n - at;
		memmove(data + at, data + at + many, n - at - many);
		return n - many;
	case 4: /* cut the tail off */
		return at;
	default: /* put in a piece of another input */
		other = &corpus[below(corpus_count)];
		many = below(other->n + 1);
		if (many > INPUT_LIMIT - n)
			return n;
		memmove(data + at + many, data + at, n - at);
		memcpy(data + at, other->data + below(other->n - many + 1), many);
		return n + many;
	}
}

static void mutate(unsigned long runs)
{
	uint8_t *data = malloc(INPUT_LIMIT);

	if (!data)
		abort();
	for (unsigned long i = 0; i < runs; i++) {
		const struct input *from = &corpus[below(corpus_count)];
		size_t n = from->n;

		memcpy(data, from->data, n);
		for (size_t changes = 1 + below(8); changes > 0; changes--)
			n = change(data, n);
		run(data, n);
	}
	free(data);
}

int main(int argc, char **argv)
{
	unsigned long runs = DEFAULT_RUNS;
	unsigned long long seed = 1;
	bool ok = true;

	for (int i = 1; i < argc && ok; i++) {
		if (strncmp(argv[i], "-runs=", 6) == 0)
			runs = strtoul(argv[i] + 6, NULL, 10);
		else if (strncmp(argv[i], "-seed=", 6) == 0)
			seed = strtoull(argv[i] + 6, NULL, 10);
		else
			ok = add_path(argv[i]);
	}
	if (ok && corpus_count == 0)
		ok = add_own_corpus(argv[0]);
	if (!ok || corpus_count == 0)
		return 1;
	random_state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
	for (size_t i = 0; i < corpus_count; i++)
		run(corpus[i].data, corpus[i].n);
	mutate(runs);
	printf("%zu inputs, %lu mutations of them (seed %llu)\n", corpus_count, runs, seed);
	for (size_t i = 0; i < corpus_count; i++)
		free(corpus[i].data);
	return 0;
}
