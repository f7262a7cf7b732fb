/* SPDX-License-Identifier: ISC */
/*
 * list - doubly linked, intrusive, circular. Put a `struct list` into the object and get the object
 * back with CONTAINER_OF. A node that is in no list points to itself (list_init), so list_remove is
 * safe to call twice.
 */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
	struct list *next;
	struct list *prev;
};

#define CONTAINER_OF(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

#define LIST_FOREACH(node, head) \
	for (struct list *node = (head)->next; node != (head); node = node->next)
/* LIST_FOREACH_SAFE - the current node may be removed. */
#define LIST_FOREACH_SAFE(node, head)                                            \
	for (struct list *node = (head)->next, *node##_next = node->next;        \
	     node != (head); node = node##_next, node##_next = node->next)

static inline void list_init(struct list *l)
{
	l->next = l->prev = l;
}

static inline bool list_empty(const struct list *l)
{
	return l->next == l;
}

static inline void list_insert_before(struct list *node, struct list *at)
{
	node->prev = at->prev;
	node->next = at;
	at->prev->next = node;
	at->prev = node;
}

static inline void list_push_back(struct list *head, struct list *node)
{
	list_insert_before(node, head);
}

static inline void list_push_front(struct list *head, struct list *node)
{
	list_insert_before(node, head->next);
}

static inline void list_remove(struct list *node)
{
	node->prev->next = node->next;
	node->next->prev = node->prev;
	list_init(node);
}

/* list_pop_front - the first node, taken out; NULL when empty. */
static inline struct list *list_pop_front(struct list *head)
{
	struct list *node = head->next;

	if (node == head)
		return NULL;
	list_remove(node);
	return node;
}

#endif
