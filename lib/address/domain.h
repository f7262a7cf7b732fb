/* SPDX-License-Identifier: ISC */
/* domain - the syntax of host and domain names, and of address literals. */
#ifndef ADDRESS_DOMAIN_H
#define ADDRESS_DOMAIN_H

#include "base/ip.h"

/* domain_valid - RFC 1123 host name as Postfix takes it: labels of letters, digits, "_" and inner
 * "-", up to 63 bytes, 255 in all, not all digits and dots. No trailing dot. ASCII only. */
bool domain_valid(struct slice name);
/* domain_valid_utf8 - the same, where labels may hold well-formed UTF-8 as well. */
bool domain_valid_utf8(struct slice name);
/* domain_is_fqdn - valid, ASCII or UTF-8, with a dot inside; one trailing dot is allowed. */
bool domain_is_fqdn(struct slice name);
/* domain_is_literal - begins with "[". */
bool domain_is_literal(struct slice domain);
/* domain_parse_literal - RFC 5321 4.1.3: [192.0.2.1], [IPv6:2001:db8::1]. */
bool domain_parse_literal(struct slice domain, struct ip_addr *out);
/* domain_format_literal - the inverse; writes into `text`. */
struct slice domain_format_literal(const struct ip_addr *ip, char text[IP_TEXT_SIZE]);
/* domain_has_parent - name ends in ".parent" (neither with a leading dot); case is ignored. */
bool domain_has_parent(struct slice name, struct slice parent);
/* domain_parent - what follows the first dot, or the null slice. */
struct slice domain_parent(struct slice name);

#endif
