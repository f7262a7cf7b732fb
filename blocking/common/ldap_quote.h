/* SPDX-License-Identifier: ISC */
/* ldap_quote - a part of a key inside an LDAP filter, and inside a distinguished name. Pure. */
#ifndef COMMON_LDAP_QUOTE_H
#define COMMON_LDAP_QUOTE_H

#include "base/buffer.h"

/* Both are a template_quote: false only when the buffer is full. Any bytes are taken. */

/* ldap_quote_filter - RFC 4515 section 3: * ( ) \ and NUL as \XX. */
bool ldap_quote_filter(void *context, struct slice part, struct buffer *out);
/*
 * ldap_quote_dn - RFC 4514 section 2.4: what may not stand in a value, anywhere or where it stands,
 * as \XX. A part may come to stand anywhere, so every # = and each space at an end is such a byte.
 */
bool ldap_quote_dn(void *context, struct slice part, struct buffer *out);

#endif
