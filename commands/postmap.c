/* SPDX-License-Identifier: ISC */
/* postmap - make and ask lookup tables; postmap(1). */
#include "commands/map_tool.h"
#include "table/source.h"

static enum map_line parse(const char *file, unsigned number, struct slice line,
			   struct arena *arena, struct slice *key, struct slice *value)
{
	(void)arena;
	switch (source_split(line, key, value)) {
	case SPLIT_UNBALANCED:
		map_warn("%s, line %u: unbalanced '\"' in '%.*s' -- ignoring this line", file,
			 number, SL_ARG(line));
		return MAP_LINE_SKIP;
	case SPLIT_NO_VALUE:
		map_warn("%s, line %u: expected format: key whitespace value", file, number);
		return MAP_LINE_SKIP;
	case SPLIT_OK:
		break;
	}
	if (key->p[key->n - 1] == ':')
		map_warn("%s, line %u: record is in \"key: value\" format; is this an alias file?",
			 file, number);
	return MAP_LINE_OK;
}

int main(int argc, char **argv)
{
	struct map_tool tool = {
	    .command = {.name = "postmap", .failure = 1, .warnings = true},
	    .options = "bc:d:fFhijmnNopq:rsuUvw",
	    .usage = "[-bfFhijmnNoprsuUvw] [-c config_dir] [-d key] [-q key] [map_type:]file...",
	    .separator = "\t",
	    .parse = parse,
	};

	return map_tool_main(&tool, argc, argv);
}
