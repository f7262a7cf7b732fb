noinst_LIBRARIES += lib/libroute.a
lib_libroute_a_SOURCES = \
	lib/route/address_find.c lib/route/address_find.h \
	lib/route/known.c \
	lib/route/own_address.c lib/route/own_address.h \
	lib/route/resolve.c \
	lib/route/rewrite.c \
	lib/route/route.c lib/route/route.h lib/route/route_state.h

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_route
tests_unit_test_route_SOURCES = tests/unit/test_route.c tests/unit/unit.h
tests_unit_test_route_LDADD = $(COMMAND_LIBS) $(CMOCKA_LIBS)
endif

FUZZ_TARGETS += tests/fuzz/fuzz_route
tests_fuzz_fuzz_route_SOURCES = tests/fuzz/fuzz_route.c $(FUZZ_MAIN)
tests_fuzz_fuzz_route_LDADD = $(COMMAND_LIBS)
tests_fuzz_fuzz_route_LDFLAGS = $(FUZZ_LINK)
