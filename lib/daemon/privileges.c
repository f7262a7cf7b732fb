/* SPDX-License-Identifier: ISC */
#include "daemon/privileges.h"
#include "base/check.h"

#include <linux/capability.h>

const struct privileges privileges[] = {
#include "daemon/privileges_gen.inc"
};

const size_t privilege_count = sizeof(privileges) / sizeof(privileges[0]);

static const struct {
	const char *program;
	const char *row;
} second_names[] = {
    {"lmtp", "smtp"},
    {"retry", "error"},
    {"discard", "error"},
};

const struct privileges *privileges_find(struct slice program)
{
	for (size_t i = 0; i < sizeof(second_names) / sizeof(second_names[0]); i++)
		if (slice_eq(program, slice_str(second_names[i].program)))
			program = slice_str(second_names[i].row);
	for (size_t i = 0; i < privilege_count; i++)
		if (slice_eq(program, slice_str(privileges[i].name)))
			return &privileges[i];
	return NULL;
}

static const struct {
	const char *name;
	unsigned bit;
} capability_names[] = {
    {"chown", CAP_CHOWN},
    {"dac_override", CAP_DAC_OVERRIDE},
    {"dac_read_search", CAP_DAC_READ_SEARCH},
    {"fowner", CAP_FOWNER},
    {"kill", CAP_KILL},
    {"net_bind_service", CAP_NET_BIND_SERVICE},
    {"setgid", CAP_SETGID},
    {"setpcap", CAP_SETPCAP},
    {"setuid", CAP_SETUID},
    {"sys_chroot", CAP_SYS_CHROOT},
    {"sys_resource", CAP_SYS_RESOURCE},
};

static uint64_t capability_bit(struct slice name)
{
	for (size_t i = 0; i < sizeof(capability_names) / sizeof(capability_names[0]); i++)
		if (slice_eq(name, slice_str(capability_names[i].name)))
			return UINT64_C(1) << capability_names[i].bit;
	CHECK(!"a capability that nobody knows");
	return 0;
}

uint64_t capability_mask(const char *names)
{
	struct slice rest = slice_str(names), word;
	uint64_t mask = 0;

	while (slice_next(&rest, " ", &word))
		mask |= capability_bit(word);
	return mask;
}
