/* SPDX-License-Identifier: ISC */
/* fold - keys in which upper and lower case are the same. Pure. */
#ifndef TABLE_FOLD_H
#define TABLE_FOLD_H

#include "base/arena.h"
#include "base/slice.h"

/*
 * fold_key - Unicode's default case folding, which is lower case for most, of a key that is UTF-8; in one that is
 * not, only A to Z change. In the arena.
 */
struct slice fold_key(struct arena *arena, struct slice key);

#endif
