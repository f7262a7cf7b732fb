noinst_LIBRARIES += lib/libmessage.a
lib_libmessage_a_SOURCES = \
	lib/message/content.c lib/message/content.h \
	lib/message/date.c lib/message/date.h \
	lib/message/dsn.c lib/message/dsn.h \
	lib/message/generated.c lib/message/generated.h \
	lib/message/header.c lib/message/header.h \
	lib/message/header_name.c lib/message/header_name.h \
	lib/message/report.c lib/message/report.h

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_message
tests_unit_test_message_SOURCES = tests/unit/test_message.c tests/unit/unit.h
tests_unit_test_message_LDADD = lib/libmessage.a lib/libaddress.a lib/libbase.a $(IDN2_LIBS) $(CMOCKA_LIBS)
endif

FUZZ_TARGETS += tests/fuzz/fuzz_header
tests_fuzz_fuzz_header_SOURCES = tests/fuzz/fuzz_header.c $(FUZZ_MAIN)
tests_fuzz_fuzz_header_LDADD = lib/libmessage.a lib/libaddress.a lib/libbase.a $(IDN2_LIBS)
tests_fuzz_fuzz_header_LDFLAGS = $(FUZZ_LINK)
