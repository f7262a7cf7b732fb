/* SPDX-License-Identifier: ISC */
/* map_print - what a table said, as text or as JSON (RFC 8259). */
#include "address/utf8.h"
#include "commands/map_tool.h"

#include <stdio.h>

/* put_string - bytes that are no UTF-8 are written as the characters of those numbers, U+0080 to U+00FF. */
static void put_string(struct slice s)
{
	bool plain = utf8_valid(s);

	putchar('"');
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c == '"' || c == '\\')
			printf("\\%c", c);
		else if (c < ' ' || c == 127 || (c > 127 && !plain))
			printf("\\u%04x", c);
		else
			putchar(c);
	}
	putchar('"');
}

void map_print_entry(const struct map_tool *tool, struct slice key, struct slice value)
{
	if (tool->json) {
		putchar('{');
		put_string(key);
		fputs(": ", stdout);
		put_string(value);
		puts("}");
		return;
	}
	fwrite(key.p, 1, key.n, stdout);
	fputs(tool->separator, stdout);
	fwrite(value.p, 1, value.n, stdout);
	putchar('\n');
}

void map_print_value(const struct map_tool *tool, struct slice key, struct slice value)
{
	if (tool->json) {
		map_print_entry(tool, key, value);
		return;
	}
	fwrite(value.p, 1, value.n, stdout);
	putchar('\n');
}
