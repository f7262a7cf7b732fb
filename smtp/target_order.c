/* SPDX-License-Identifier: ISC */
/* target_order - which address comes first. Pure. */
#include "smtp/target.h"

static unsigned family_rank(const struct target *t, const struct dns_families *families)
{
	if (families->prefer == DNS_PREFER_ANY || t->addr.bits == 0)
		return 0;
	return (families->prefer == DNS_PREFER_IPV6) == (t->addr.bits == 128) ? 0 : 1;
}

static bool comes_before(const struct target *a, const struct target *b,
			 const struct dns_families *families)
{
	unsigned rank_a = family_rank(a, families), rank_b = family_rank(b, families);

	if (a->preference != b->preference)
		return a->preference < b->preference;
	return rank_a != rank_b ? rank_a < rank_b : a->chance < b->chance;
}

void targets_sort(struct target *items, size_t count, const struct dns_families *families)
{
	/* insertion: stable, and there are few */
	for (size_t i = 1; i < count; i++) {
		struct target t = items[i];
		size_t j = i;

		for (; j > 0 && comes_before(&t, &items[j - 1], families); j--)
			items[j] = items[j - 1];
		items[j] = t;
	}
}

/* quota_of - places for a family that has `own` of `own + other`, when half are its due. */
static size_t quota_of(size_t own, size_t other, size_t limit)
{
	size_t half = limit - limit / 2;
	size_t room = other < limit / 2 ? limit - other : half;

	return own < room ? own : room;
}

size_t targets_limit(struct target *items, size_t count, size_t limit, bool balance)
{
	size_t v6 = 0, kept = 0, quota4, quota6;

	if (limit == 0 || count <= limit)
		return count;
	if (!balance || limit < 2)
		return limit;
	for (size_t i = 0; i < count; i++)
		v6 += items[i].addr.bits == 128;
	quota6 = quota_of(v6, count - v6, limit);
	quota4 = limit - quota6;
	for (size_t i = 0; i < count && kept < limit; i++) {
		size_t *quota = items[i].addr.bits == 128 ? &quota6 : &quota4;

		if (*quota == 0)
			continue;
		--*quota;
		items[kept++] = items[i];
	}
	return kept;
}

size_t targets_before_self(struct target *items, size_t count, const struct own_addresses *own)
{
	unsigned limit = UINT32_MAX;
	size_t kept = 0;

	for (size_t i = 0; i < count; i++)
		if (own_addresses_contain(own, &items[i].addr) && items[i].preference < limit)
			limit = items[i].preference;
	for (size_t i = 0; i < count; i++)
		if (items[i].preference < limit)
			items[kept++] = items[i];
	return kept;
}
