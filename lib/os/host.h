/* SPDX-License-Identifier: ISC */
/* os/host - what the machine says about itself: its name, its addresses. */
#ifndef OS_HOST_H
#define OS_HOST_H

#include "base/arena.h"
#include "base/ip.h"

/* os_host_name - the kernel's node name; "localhost" when it has none. */
struct slice os_host_name(struct arena *arena);

struct os_interface {
	struct ip_addr addr;
	unsigned prefix; /* bits of its netmask */
	bool loopback;
};

/* os_interfaces - the addresses of the interfaces that are up, in the arena; 0 on failure, errno
 * set. */
size_t os_interfaces(struct arena *arena, struct os_interface **out);

#endif
