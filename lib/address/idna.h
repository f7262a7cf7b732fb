/* SPDX-License-Identifier: ISC */
/* idna - domain names between U-labels and A-labels: IDNA2008 with UTS 46 mapping, through libidn2.
 */
#ifndef ADDRESS_IDNA_H
#define ADDRESS_IDNA_H

#include "base/arena.h"

/* idna_to_ascii - lower-case A-labels; ASCII names come back as they are. False: not convertible.
 */
bool idna_to_ascii(struct arena *arena, struct slice utf8, struct slice *ascii);
/* idna_to_utf8 - U-labels; names without "xn--" labels come back as they are. False: bad A-label.
 */
bool idna_to_utf8(struct arena *arena, struct slice ascii, struct slice *utf8);

#endif
