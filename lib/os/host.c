/* SPDX-License-Identifier: ISC */
#include "os/host.h"

#include <ifaddrs.h>
#include <limits.h>
#include <net/if.h>
#include <netinet/in.h>
#include <unistd.h>

struct slice os_host_name(struct arena *arena)
{
	char name[HOST_NAME_MAX + 1] = "";

	if (gethostname(name, sizeof(name) - 1) < 0 || name[0] == '\0')
		return arena_dup(arena, SL("localhost"));
	return arena_dup(arena, slice_str(name));
}

static struct slice address_bytes(const struct sockaddr *sa)
{
	if (sa && sa->sa_family == AF_INET)
		return slice(&((const struct sockaddr_in *)(const void *)sa)->sin_addr, 4);
	if (sa && sa->sa_family == AF_INET6)
		return slice(&((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr, 16);
	return SL_NULL;
}

static unsigned mask_bits(struct slice mask)
{
	unsigned bits = 0;

	for (size_t i = 0; i < mask.n; i++)
		bits += (unsigned)__builtin_popcount((unsigned char)mask.p[i]);
	return bits;
}

size_t os_interfaces(struct arena *arena, struct os_interface **out)
{
	struct ifaddrs *all = NULL;
	size_t count = 0;

	*out = NULL;
	if (getifaddrs(&all) < 0)
		return 0;
	for (struct ifaddrs *one = all; one; one = one->ifa_next)
		count++;
	*out = ARENA_ARRAY(arena, count, struct os_interface);
	count = 0;
	for (struct ifaddrs *one = all; one; one = one->ifa_next) {
		struct slice bytes = address_bytes(one->ifa_addr);
		struct slice mask = address_bytes(one->ifa_netmask);

		if (bytes.n == 0 || !(one->ifa_flags & IFF_UP))
			continue;
		(*out)[count++] = (struct os_interface){
		    .addr = ip_from_bytes(bytes.p, bytes.n),
		    .prefix = mask.n == bytes.n ? mask_bits(mask) : (unsigned)(8 * bytes.n),
		    .loopback = (one->ifa_flags & IFF_LOOPBACK) != 0,
		};
	}
	freeifaddrs(all);
	return count;
}
