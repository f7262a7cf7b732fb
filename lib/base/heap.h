/* SPDX-License-Identifier: ISC */
/*
 * heap - a binary min-heap of intrusive nodes, ordered by a 64-bit key (a deadline). A node knows
 * its place, so it can be removed or moved without a search.
 */
#ifndef BASE_HEAP_H
#define BASE_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heap_node {
	int64_t key;
	size_t place; /* 1-based; 0: in no heap */
};

struct heap {
	struct heap_node **nodes;
	size_t count;
	size_t size;
};

void heap_init(struct heap *h);
/* heap_free - the array; the nodes are the caller's. */
void heap_free(struct heap *h);
/* heap_insert - node->key must be set, and stay as it is while the node is in. */
void heap_insert(struct heap *h, struct heap_node *node);
/* heap_remove - no effect on a node that is in no heap. */
void heap_remove(struct heap *h, struct heap_node *node);
/* heap_first - smallest key, or NULL. */
struct heap_node *heap_first(const struct heap *h);

static inline bool heap_contains(const struct heap_node *node)
{
	return node->place != 0;
}

#endif
