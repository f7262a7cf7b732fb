# What the modules of blocking/tables/ share; proxymap exports it to them.
noinst_LIBRARIES += blocking/libcommon.a
blocking_libcommon_a_SOURCES = blocking/common/client_config.c blocking/common/client_config.h

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_client_config
tests_unit_test_client_config_SOURCES = tests/unit/test_client_config.c tests/unit/unit.h
tests_unit_test_client_config_LDADD = blocking/libcommon.a lib/libconfig.a $(LIBS_OS) $(CMOCKA_LIBS)
endif
