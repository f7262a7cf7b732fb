/* SPDX-License-Identifier: ISC */
#include "blocking/common/wait.h"

#include "address/utf8.h"
#include "base/buffer.h"
#include "os/clock.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>

/* No reason of a library is told longer than this. */
#define REASON_LIMIT 500

int wait_budget(int64_t deadline, int64_t unit)
{
	int64_t left = deadline - os_now();

	if (left <= 0)
		return 0;
	left = left / unit + (left % unit > 0);
	return left > INT_MAX ? INT_MAX : (int)left;
}

short wait_fd(int fd, short events, int64_t deadline)
{
	struct pollfd one = {.fd = fd, .events = events};
	int left, n;

	if (fd < 0)
		return 0;
	while ((left = wait_budget(deadline, OS_MILLISECOND)) > 0) {
		n = poll(&one, 1, left);
		if (n > 0)
			return one.revents;
		if (n < 0 && errno != EINTR)
			return 0;
	}
	return 0;
}

struct slice reason_line(struct arena *arena, const char *text)
{
	struct slice all = slice_trim(slice_str(text)), line;
	bool utf8 = utf8_valid(all); /* a server may say anything, and say it in its language */
	struct buffer out;

	buffer_init(&out, REASON_LIMIT);
	for (size_t i = 0; i < all.n; i++) {
		char c = all.p[i];

		if (c == '\t' || c == '\n' || c == '\r')
			c = ' ';
		if (c == ' ' && out.len > 0 && out.data[out.len - 1] == ' ')
			continue;
		if ((unsigned char)c < ' ' || c == 127 || ((unsigned char)c > 127 && !utf8))
			c = '?';
		buffer_append_byte(&out, c);
	}
	line = buffer_slice(&out);
	while (!utf8_valid(line)) /* cut within a character */
		line.n--;
	while (line.n > 0 && (line.p[line.n - 1] == '.' || line.p[line.n - 1] == ' '))
		line.n--;
	line = line.n > 0 ? arena_dup(arena, line) : SL("no reason was given");
	buffer_free(&out);
	return line;
}
