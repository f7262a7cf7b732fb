/* SPDX-License-Identifier: ISC */
/* address - what a socket is bound or connected to, from an IP address or a path. Pure. */
#ifndef OS_ADDRESS_H
#define OS_ADDRESS_H

#include "base/ip.h"
#include "os/socket.h"

/* os_addr_inet - `port` in the machine's byte order. */
void os_addr_inet(const struct ip_addr *ip, uint16_t port, struct os_addr *out);
/* os_addr_unix - false when the path is too long for one (107 bytes): ENAMETOOLONG. */
bool os_addr_unix(struct slice path, struct os_addr *out);

#endif
