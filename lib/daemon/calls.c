/* SPDX-License-Identifier: ISC */
#include "daemon/calls.h"
#include "os/process.h"

#include <errno.h>
#include <linux/filter.h>
#include <stdlib.h>

struct program {
	const struct sock_filter *code; /* NULL: none */
	size_t length;
};

/* The kernel takes the stricter of two answers; calls_make.c says why there are two. */
struct call_filter {
	const char *groups;
	struct program outer;
	struct program inner;
};

#define PROGRAM(code) {code, sizeof(code) / sizeof((code)[0])}
#include "daemon/calls_gen.inc"

const struct call_filter *calls_find(const char *groups)
{
	for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++)
		if (strcmp(filters[i].groups, groups) == 0)
			return &filters[i];
	return NULL;
}

/* program_enter - with this process's number in its place. */
static int program_enter(const struct program *program)
{
	size_t size = program->length * sizeof(*program->code);
	struct sock_fprog mine = {.len = (unsigned short)program->length, .filter = malloc(size)};
	int rc;

	if (mine.filter == NULL)
		return -ENOMEM;
	memcpy(mine.filter, program->code, size);
	for (size_t i = 0; i < mine.len; i++)
		if (BPF_CLASS(mine.filter[i].code) == BPF_JMP && mine.filter[i].k == CALLS_PID_PLACE)
			mine.filter[i].k = (uint32_t)os_pid();
	rc = os_filter_calls(&mine) < 0 ? -errno : 0;
	free(mine.filter);
	return rc;
}

int calls_enter(const struct call_filter *filter)
{
	int rc = filter->outer.code != NULL ? program_enter(&filter->outer) : 0;

	return rc < 0 ? rc : program_enter(&filter->inner);
}
