/* SPDX-License-Identifier: ISC */
/* postalias - make and ask alias tables; postalias(1), aliases(5). */
#include "commands/map_tool.h"
#include "table/alias_line.h"

static enum map_line parse(const char *file, unsigned number, struct slice line,
			   struct arena *arena, struct slice *key, struct slice *value)
{
	switch (alias_line_parse(line, arena, key, value)) {
	case ALIAS_NO_PAIR:
		map_warn("%s, line %u: need name:value pair", file, number);
		return MAP_LINE_SKIP;
	case ALIAS_NOT_LOCAL:
		map_warn("%s, line %u: name must be local", file, number);
		return MAP_LINE_SKIP;
	case ALIAS_OK:
		break;
	}
	return MAP_LINE_OK;
}

int main(int argc, char **argv)
{
	struct map_tool tool = {
	    .command = {.name = "postalias", .failure = 1, .warnings = true},
	    .options = "c:d:fijnNopq:rsuvw",
	    .usage = "[-fijnNoprsuvw] [-c config_dir] [-d key] [-q key] [map_type:]file...",
	    .separator = ":\t",
	    .aliases = true,
	    .parse = parse,
	};

	return map_tool_main(&tool, argc, argv);
}
