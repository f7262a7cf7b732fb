pkglibexec_PROGRAMS += bounce/bounce
bounce_bounce_SOURCES = \
	bounce/main.c \
	bounce/notice.c bounce/notice.h \
	bounce/original.c bounce/original.h \
	bounce/report.c bounce/report.h \
	bounce/wording.c bounce/wording.h
bounce_bounce_LDADD = $(DAEMON_LIBS)

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_notice
tests_unit_test_notice_SOURCES = tests/unit/test_notice.c bounce/notice.c bounce/wording.c
tests_unit_test_notice_LDADD = lib/libmessage.a lib/libaddress.a lib/libbase.a $(IDN2_LIBS) $(CMOCKA_LIBS)
endif
