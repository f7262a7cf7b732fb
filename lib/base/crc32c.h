/* SPDX-License-Identifier: ISC */
/* crc32c - CRC-32C (Castagnoli polynomial, RFC 3720 appendix B.4), the checksum of queue records. */
#ifndef BASE_CRC32C_H
#define BASE_CRC32C_H

#include "base/slice.h"

/* crc32c - continue from `crc` (0 to begin) over s; uses the processor's instruction if it has one. */
uint32_t crc32c(uint32_t crc, struct slice s);

#endif
