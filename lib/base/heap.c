/* SPDX-License-Identifier: ISC */
#include "base/heap.h"
#include "base/check.h"

#include <stdlib.h>

void heap_init(struct heap *h)
{
	*h = (struct heap){0};
}

void heap_free(struct heap *h)
{
	free(h->nodes);
	heap_init(h);
}

static void put(struct heap *h, size_t place, struct heap_node *node)
{
	h->nodes[place - 1] = node;
	node->place = place;
}

static void sift_up(struct heap *h, size_t place, struct heap_node *node)
{
	while (place > 1 && h->nodes[place / 2 - 1]->key > node->key) {
		put(h, place, h->nodes[place / 2 - 1]);
		place /= 2;
	}
	put(h, place, node);
}

static void sift_down(struct heap *h, size_t place, struct heap_node *node)
{
	for (;;) {
		size_t child = place * 2;

		if (child > h->count)
			break;
		if (child < h->count && h->nodes[child]->key < h->nodes[child - 1]->key)
			child++;
		if (h->nodes[child - 1]->key >= node->key)
			break;
		put(h, place, h->nodes[child - 1]);
		place = child;
	}
	put(h, place, node);
}

void heap_insert(struct heap *h, struct heap_node *node)
{
	CHECK(node->place == 0);
	if (h->count == h->size) {
		size_t size = h->size > 0 ? h->size * 2 : 32;
		struct heap_node **nodes = realloc(h->nodes, size * sizeof(struct heap_node *));

		if (nodes == NULL)
			out_of_memory();
		h->nodes = nodes;
		h->size = size;
	}
	h->count++;
	sift_up(h, h->count, node);
}

void heap_remove(struct heap *h, struct heap_node *node)
{
	size_t place = node->place;
	struct heap_node *last;

	if (place == 0)
		return;
	last = h->nodes[h->count - 1];
	h->count--;
	node->place = 0;
	if (last == node)
		return;
	if (place > 1 && h->nodes[place / 2 - 1]->key > last->key)
		sift_up(h, place, last);
	else
		sift_down(h, place, last);
}

struct heap_node *heap_first(const struct heap *h)
{
	return h->count > 0 ? h->nodes[0] : NULL;
}
