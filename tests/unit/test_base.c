/* SPDX-License-Identifier: ISC */
#include "unit.h"

#include "base/arena.h"
#include "base/buffer.h"
#include "base/crc32c.h"
#include "base/heap.h"
#include "base/ip.h"
#include "base/list.h"
#include "base/map.h"

#include <stdio.h>

static void slices_compare_and_cut(void **state)
{
	struct slice rest = SL("  one, two,,three"), word;
	uint64_t u;
	int64_t i;

	(void)state;
	assert_true(slice_caseeq(SL("MiXeD"), SL("mIxEd")));
	assert_false(slice_eq(SL("a\0b"), SL("a\0c")));
	assert_int_equal(slice_search(SL("haystack"), SL("st")), 3);
	assert_int_equal(slice_rfind(SL("a.b.c"), '.'), 3);
	assert_slice(slice_trim(SL(" \t x y \r\n")), "x y");
	assert_true(slice_next(&rest, ", ", &word));
	assert_slice(word, "one");
	assert_true(slice_next(&rest, ", ", &word));
	assert_true(slice_next(&rest, ", ", &word));
	assert_slice(word, "three");
	assert_false(slice_next(&rest, ", ", &word));
	assert_true(slice_u64(SL("18446744073709551615"), &u));
	assert_false(slice_u64(SL("18446744073709551616"), &u));
	assert_false(slice_u64(SL(""), &u));
	assert_false(slice_u64(SL("1 "), &u));
	assert_true(slice_i64(SL("-42"), &i));
	assert_int_equal(i, -42);
}

static void arenas_give_zeroed_memory_and_are_reused(void **state)
{
	struct arena *arena = arena_create();

	(void)state;
	for (int round = 0; round < 3; round++) {
		for (size_t n = 1; n < 5000; n = n * 3 + 1) {
			char *p = arena_alloc(arena, n);

			for (size_t i = 0; i < n; i++)
				assert_int_equal(p[i], 0);
			memset(p, 0xaa, n);
		}
		arena_reset(arena);
		assert_int_equal(arena_used(arena), 0);
	}
	arena_reserve(arena, 3 * arena_room(700));
	for (char *last = NULL, i = 0; i < 3; i++) {
		char *p = arena_alloc(arena, 700);

		assert_true(last == NULL || p == last + arena_room(700));
		last = p;
	}
	assert_null(arena_str(arena, SL("a\0b")));
	assert_slice(arena_printf(arena, "%d-%s", 7, "x"), "7-x");
	for (int n = 0; n < 3000; n++) {
		struct slice text = arena_printf(arena, "%*s", n, "");

		assert_int_equal(text.n, n);
		assert_int_equal(text.p[text.n], '\0');
		assert_int_equal(*(char *)arena_alloc(arena, 1), 0);
	}
	arena_destroy(&arena);
	assert_null(arena);
}

static void buffers_stop_at_their_limit(void **state)
{
	struct buffer b;

	(void)state;
	buffer_init(&b, 8);
	assert_true(buffer_append(&b, SL("12345678")));
	assert_false(buffer_append_byte(&b, '9'));
	assert_true(buffer_overflowed(&b));
	assert_slice(buffer_slice(&b), "12345678");
	buffer_reset(&b);
	assert_false(buffer_printf(&b, "%09d", 1));
	assert_int_equal(b.len, 0);
	buffer_reset(&b);
	assert_true(buffer_printf(&b, "%08d", 1));
	buffer_consume(&b, 7);
	assert_slice(buffer_slice(&b), "1");
	buffer_free(&b);
}

static void buffers_print_in_place_and_in_growing(void **state)
{
	struct buffer b;
	size_t n = 0;

	(void)state;
	buffer_init(&b, 1000);
	for (int i = 0; n + 7 <= 1000; i++, n += 7)
		assert_true(buffer_printf(&b, "%06d,", i));
	assert_int_equal(b.len, n);
	assert_memory_equal(b.data + b.len - 7, "000141,", 7);
	assert_true(buffer_printf(&b, "%0*d", (int)(1000 - n), 5)); /* to the very limit */
	assert_false(buffer_printf(&b, "x"));
	buffer_reset(&b);
	assert_true(buffer_append_number(&b, 0, 1));
	assert_true(buffer_append_number(&b, 42, 5));
	assert_true(buffer_append_number(&b, UINT64_MAX, 0));
	assert_slice(buffer_slice(&b), "00004218446744073709551615");
	buffer_free(&b);
}

static void maps_survive_removal_while_walking(void **state)
{
	struct map *map = map_create();
	uintptr_t marks[500] = {0};
	size_t cursor = 0;
	struct slice key;
	void *value;
	char name[32];

	(void)state;
	for (uintptr_t i = 0; i < 500; i++) {
		int n = snprintf(name, sizeof(name), "key %zu", (size_t)i);

		assert_null(map_put(map, slice(name, (size_t)n), &marks[i]));
	}
	assert_int_equal(map_count(map), 500);
	while (map_next(map, &cursor, &key, &value)) {
		uintptr_t *mark = value;

		assert_int_equal((*mark)++, 0);
		if ((mark - marks) % 2 == 0)
			assert_ptr_equal(map_remove(map, key), mark);
	}
	for (size_t i = 0; i < 500; i++)
		assert_int_equal(marks[i], 1);
	assert_int_equal(map_count(map), 250);
	assert_ptr_equal(map_get(map, SL("key 499")), &marks[499]);
	assert_null(map_get(map, SL("key 498")));
	map_destroy(&map);
}

static void checksums_match_their_specification(void **state)
{
	char zeros[32] = {0};

	(void)state;
	assert_int_equal(crc32c(0, SL("123456789")), 0xe3069283);
	/* RFC 3720, B.4 */
	assert_int_equal(crc32c(0, slice(zeros, 32)), 0x8a9136aa);
	assert_int_equal(crc32c(crc32c(0, SL("1234")), SL("56789")), 0xe3069283);
	assert_true(siphash(slice("\0\1\2\3\4\5\6\7\10\11\12\13\14\15\16", 15),
			    0x0706050403020100ULL, 0x0f0e0d0c0b0a0908ULL) == 0xa129ca6149be45e5ULL);
}

static void heaps_order_and_remove(void **state)
{
	struct heap heap;
	struct heap_node nodes[100] = {0};
	int64_t last = -1;

	(void)state;
	heap_init(&heap);
	for (int i = 0; i < 100; i++) {
		nodes[i].key = (i * 37) % 101;
		heap_insert(&heap, &nodes[i]);
	}
	for (int i = 0; i < 100; i += 3)
		heap_remove(&heap, &nodes[i]);
	heap_remove(&heap, &nodes[0]);
	while (heap_first(&heap) != NULL) {
		struct heap_node *first = heap_first(&heap);

		assert_true(first->key >= last);
		last = first->key;
		heap_remove(&heap, first);
		assert_false(heap_contains(first));
	}
	heap_free(&heap);
}

static void lists_link_and_unlink(void **state)
{
	struct list head, a, b;

	(void)state;
	list_init(&head);
	list_push_back(&head, &a);
	list_push_front(&head, &b);
	assert_ptr_equal(list_pop_front(&head), &b);
	list_remove(&a);
	list_remove(&a);
	assert_true(list_empty(&head));
	assert_null(list_pop_front(&head));
}

static void networks_contain_addresses(void **state)
{
	static const struct {
		const char *net, *ip;
		enum ip_net_error error;
		bool inside;
	} cases[] = {
	    {"127.0.0.0/8", "127.1.2.3", IP_NET_OK, true},
	    {"127.0.0.0/8", "128.0.0.1", IP_NET_OK, false},
	    {"127.0.0.0/8", "::ffff:127.0.0.1", IP_NET_OK, true},
	    {"[::1]/128", "::1", IP_NET_OK, true},
	    {"[2001:db8::]/33", "2001:db8:8000::1", IP_NET_OK, false},
	    {"2001:db8::/33", "2001:db8:7fff::1", IP_NET_OK, true},
	    {"0.0.0.0/0", "203.0.113.9", IP_NET_OK, true},
	    {"0.0.0.0/0", "2001:db8::1", IP_NET_OK, false},
	    {"192.0.2.7", "192.0.2.7", IP_NET_OK, true},
	    {"10.0.0.1/8", "10.0.0.1", IP_NET_HOST_BITS, true},
	    {"10.0.0.0/33", "10.0.0.1", IP_NET_BAD_PREFIX, false},
	    {"10.0.0.0/", "10.0.0.1", IP_NET_BAD_PREFIX, false},
	    {"10.0.0/8", "10.0.0.1", IP_NET_BAD_ADDRESS, false},
	    {"[::1/128", "::1", IP_NET_BAD_ADDRESS, false},
	};
	char text[IP_TEXT_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ip_net net;
		struct ip_addr ip;

		assert_true(ip_parse(slice_str(cases[i].ip), &ip));
		assert_int_equal(ip_net_parse(slice_str(cases[i].net), &net), cases[i].error);
		if (cases[i].error == IP_NET_OK)
			assert_int_equal(ip_net_contains(&net, &ip), cases[i].inside);
	}
	assert_slice(ip_format(&(struct ip_addr){.bits = 32, .bytes = {192, 0, 2, 1}}, text), "192.0.2.1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(slices_compare_and_cut),
	    cmocka_unit_test(networks_contain_addresses),
	    cmocka_unit_test(arenas_give_zeroed_memory_and_are_reused),
	    cmocka_unit_test(buffers_stop_at_their_limit),
	    cmocka_unit_test(buffers_print_in_place_and_in_growing),
	    cmocka_unit_test(maps_survive_removal_while_walking),
	    cmocka_unit_test(checksums_match_their_specification),
	    cmocka_unit_test(heaps_order_and_remove),
	    cmocka_unit_test(lists_link_and_unlink),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
