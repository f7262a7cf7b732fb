/* SPDX-License-Identifier: ISC */
/* Items lie in the body in order; rendering without changes keeps it; replacing is stable. */
#include "address/address.h"
#include "address/list.h"
#include "base/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check_items(const struct address_list *list)
{
	const char *at = list->body.p;

	for (size_t i = 0; i < list->count; i++) {
		const struct address_item *item = &list->items[i];

		CHECK(item->raw.p >= at);
		at = item->raw.p + item->raw.n;
		CHECK(at <= list->body.p + list->body.n);
		CHECK(item->raw.n > 0);
	}
}

/* check_replacing - with plain addresses in every place, the list that is read back has just those.
 */
static void check_replacing(struct arena *arena, struct address_list *list)
{
	struct address_list again;
	struct slice body;

	for (size_t i = 0; i < list->count; i++)
		list->items[i].replacement = arena_printf(arena, "u%zu@example.com", i);
	body = address_list_render(arena, list);
	address_list_parse(arena, body, 0, &again);
	if (list->malformed)
		return;
	CHECK(again.count == list->count);
	for (size_t i = 0; i < list->count; i++)
		CHECK(slice_eq(again.items[i].address, list->items[i].replacement));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct arena *arena = arena_create();
	struct address_list list;

	address_list_parse(arena, slice(data, n), 0, &list);
	check_items(&list);
	CHECK(address_list_render(arena, &list).p == list.body.p);
	check_replacing(arena, &list);
	address_list_parse(arena, slice(data, n), 2, &list);
	CHECK(list.count <= 2);
	arena_destroy(&arena);
	return 0;
}
