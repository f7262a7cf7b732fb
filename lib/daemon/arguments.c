/* SPDX-License-Identifier: ISC */
#include "daemon/run.h"

#include <unistd.h>

static bool type_of(struct slice name, enum service_type *out)
{
	for (enum service_type t = SERVICE_INET; t <= SERVICE_PASS; t++) {
		if (slice_eq(name, slice_str(service_type_name(t)))) {
			*out = t;
			return true;
		}
	}
	return false;
}

static bool number(const char *text, size_t *out)
{
	uint64_t n;

	if (!slice_u64(slice_str(text), &n) || n > INT32_MAX)
		return false;
	*out = (size_t)n;
	return true;
}

static struct slice base_name(const char *path)
{
	struct slice s = slice_str(path);

	return slice_from(s, (size_t)(slice_rfind(s, '/') + 1));
}

static bool take_number(struct daemon_arguments *a, int option)
{
	size_t n;

	if (!number(optarg, &n))
		return false;
	if (option == 'i')
		a->slot = (unsigned)n;
	else if (option == 'p')
		a->slots = n > 0 ? (unsigned)n : 1;
	else if (option == 'm')
		a->session_limit = n;
	else
		a->listeners = n;
	return true;
}

static bool take(struct daemon_arguments *a, int option)
{
	switch (option) {
	case 'n':
		a->service = slice_str(optarg);
		return true;
	case 't':
		return type_of(slice_str(optarg), &a->type);
	case 'c':
		a->chroot = true;
		return true;
	case 'i':
	case 'p':
	case 'm':
	case 's':
		return take_number(a, option);
	case 'o':
		a->overrides[a->override_count++] = slice_str(optarg);
		return true;
	case 'v':
		a->verbose++;
		return true;
	case 'u': /* the row in schema/privileges says it */
	case 'D': /* a debugger is attached by its own means */
		return true;
	default:
		return false;
	}
}

bool daemon_parse_arguments(int argc, char **argv, struct arena *arena,
			    struct daemon_arguments *out, struct slice *problem)
{
	int option;

	*out = (struct daemon_arguments){.slots = 1};
	if (argc < 1)
		return false;
	out->program = base_name(argv[0]);
	out->overrides = ARENA_ARRAY(arena, (size_t)argc + 1, struct slice);
	opterr = 0;
	optind = 1;
	while ((option = getopt(argc, argv, "+n:t:cui:p:m:s:o:vD")) != -1) {
		if (take(out, option))
			continue;
		*problem = arena_printf(arena, "option -%c: unknown, or its argument is wrong",
					option == '?' ? optopt : option);
		return false;
	}
	out->rest = (const char *const *)(argv + optind);
	out->rest_count = (size_t)(argc - optind);
	if (out->service.n == 0 || out->listeners == 0) {
		*problem = SL("this program is started by master");
		return false;
	}
	return true;
}
