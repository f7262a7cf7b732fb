/* SPDX-License-Identifier: ISC */
#include "base/crc32c.h"

#define POLYNOMIAL 0x82f63b78u /* reflected 0x1EDC6F41 */

static uint32_t crc_bytes(uint32_t crc, const unsigned char *p, size_t n)
{
	/* 16-entry table of the reflected polynomial, a half byte at a time */
	static const uint32_t table[16] = {
	    0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3,
	    0x61c69362, 0x7198540d, 0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
	    0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75};

	_Static_assert(POLYNOMIAL == 0x82f63b78u, "the table is of this polynomial");
	for (size_t i = 0; i < n; i++) {
		crc ^= p[i];
		crc = (crc >> 4) ^ table[crc & 15];
		crc = (crc >> 4) ^ table[crc & 15];
	}
	return crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t crc_hardware(uint32_t crc, const unsigned char *p,
							       size_t n)
{
	uint64_t wide = crc;

	for (; n >= 8; p += 8, n -= 8) {
		uint64_t word;

		memcpy(&word, p, 8);
		wide = __builtin_ia32_crc32di(wide, word);
	}
	crc = (uint32_t)wide;
	for (; n > 0; p++, n--)
		crc = __builtin_ia32_crc32qi(crc, *p);
	return crc;
}

static uint32_t crc_run(uint32_t crc, const unsigned char *p, size_t n)
{
	return __builtin_cpu_supports("sse4.2") ? crc_hardware(crc, p, n) : crc_bytes(crc, p, n);
}
#else
static uint32_t crc_run(uint32_t crc, const unsigned char *p, size_t n)
{
	return crc_bytes(crc, p, n);
}
#endif

uint32_t crc32c(uint32_t crc, struct slice s)
{
	return ~crc_run(~crc, (const unsigned char *)s.p, s.n);
}
