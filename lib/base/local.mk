noinst_LIBRARIES += lib/libbase.a
lib_libbase_a_SOURCES = \
	lib/base/arena.c lib/base/arena.h \
	lib/base/buffer.c lib/base/buffer.h \
	lib/base/check.c lib/base/check.h \
	lib/base/crc32c.c lib/base/crc32c.h \
	lib/base/heap.c lib/base/heap.h \
	lib/base/ip.c lib/base/ip.h \
	lib/base/list.h \
	lib/base/map.c lib/base/map.h \
	lib/base/result.h \
	lib/base/slice.c lib/base/slice.h

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_base
tests_unit_test_base_SOURCES = tests/unit/test_base.c tests/unit/unit.h
tests_unit_test_base_LDADD = lib/libbase.a $(CMOCKA_LIBS)
endif
