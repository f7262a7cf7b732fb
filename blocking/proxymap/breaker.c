/* SPDX-License-Identifier: ISC */
#include "blocking/proxymap/breaker.h"

void breaker_init(struct breaker *b, int64_t longest)
{
	*b = (struct breaker){.pause = BREAKER_FIRST_PAUSE, .longest = longest};
	if (b->pause > longest)
		b->pause = longest;
}

bool breaker_would_admit(const struct breaker *b, int64_t now)
{
	return !b->open || (!b->probing && now >= b->until);
}

bool breaker_admit(struct breaker *b, int64_t now)
{
	if (!breaker_would_admit(b, now))
		return false;
	b->probing = b->open;
	return true;
}

enum breaker_change breaker_success(struct breaker *b)
{
	bool was_open = b->open;

	breaker_init(b, b->longest);
	return was_open ? BREAKER_CLOSED : BREAKER_SAME;
}

enum breaker_change breaker_failure(struct breaker *b, int64_t now)
{
	/* a lookup that began before the others had failed: it says nothing new */
	if (b->open && !b->probing)
		return BREAKER_SAME;
	b->failures++;
	if (b->open) {
		b->pause = b->pause < b->longest / 2 ? 2 * b->pause : b->longest;
	} else if (b->failures < BREAKER_FAILURES) {
		return BREAKER_SAME;
	}
	b->until = now + b->pause;
	b->probing = false;
	if (b->open)
		return BREAKER_SAME;
	b->open = true;
	return BREAKER_OPENED;
}

void breaker_abandon(struct breaker *b)
{
	b->probing = false;
}
