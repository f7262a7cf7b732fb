/* SPDX-License-Identifier: ISC */
/* config/level - compatibility levels: "MAJOR", "MAJOR.MINOR", "MAJOR.MINOR.PATCH". */
#ifndef CONFIG_LEVEL_H
#define CONFIG_LEVEL_H

#include "base/slice.h"

/* compatibility_level_parse - to a number that orders as levels do; false on anything else. */
bool compatibility_level_parse(struct slice text, int64_t *out);

#endif
