pkglibexec_PROGRAMS += postlogd/postlogd
postlogd_postlogd_SOURCES = postlogd/postlogd.c postlogd/log_file.c postlogd/log_file.h
postlogd_postlogd_LDADD = $(DAEMON_LIBS)
dist_man8_MANS += man/postlogd.8

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_log_file
tests_unit_test_log_file_SOURCES = tests/unit/test_log_file.c tests/unit/unit.h postlogd/log_file.c
tests_unit_test_log_file_LDADD = lib/liblog.a $(LIBS_OS) $(CMOCKA_LIBS)
endif
