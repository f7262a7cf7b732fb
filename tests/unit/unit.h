/* SPDX-License-Identifier: ISC */
/* unit - what every cmocka test includes, in the order that cmocka wants. */
#ifndef TESTS_UNIT_H
#define TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/slice.h"

/* assert_slice - a slice has exactly this text. */
#define assert_slice(s, literal)                                             \
	do {                                                                 \
		struct slice unit_s = (s);                                   \
		assert_int_equal(unit_s.n, sizeof(literal) - 1);             \
		assert_memory_equal(unit_s.p, literal, sizeof(literal) - 1); \
	} while (0)

#endif
