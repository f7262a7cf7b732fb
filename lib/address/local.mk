noinst_LIBRARIES += lib/libaddress.a
lib_libaddress_a_SOURCES = \
	lib/address/address.c lib/address/address.h \
	lib/address/domain.c lib/address/domain.h \
	lib/address/idna.c lib/address/idna.h \
	lib/address/list.c lib/address/list.h \
	lib/address/path.c lib/address/path.h \
	lib/address/utf8.c lib/address/utf8.h

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_address
tests_unit_test_address_SOURCES = tests/unit/test_address.c tests/unit/unit.h
tests_unit_test_address_LDADD = lib/libaddress.a lib/libbase.a $(IDN2_LIBS) $(CMOCKA_LIBS)
endif

FUZZ_TARGETS += tests/fuzz/fuzz_address_path
tests_fuzz_fuzz_address_path_SOURCES = tests/fuzz/fuzz_address_path.c $(FUZZ_MAIN)
tests_fuzz_fuzz_address_path_LDADD = lib/libaddress.a lib/libbase.a $(IDN2_LIBS)
tests_fuzz_fuzz_address_path_LDFLAGS = $(FUZZ_LINK)
FUZZ_TARGETS += tests/fuzz/fuzz_address_list
tests_fuzz_fuzz_address_list_SOURCES = tests/fuzz/fuzz_address_list.c $(FUZZ_MAIN)
tests_fuzz_fuzz_address_list_LDADD = lib/libaddress.a lib/libbase.a $(IDN2_LIBS)
tests_fuzz_fuzz_address_list_LDFLAGS = $(FUZZ_LINK)
