/* SPDX-License-Identifier: ISC */
/* utf8 - apart from idna, so that who only checks text does not link with libidn2. */
#ifndef ADDRESS_UTF8_H
#define ADDRESS_UTF8_H

#include "base/slice.h"

/* utf8_valid - RFC 3629: shortest form, no surrogates, nothing past U+10FFFF. */
bool utf8_valid(struct slice s);

#endif
