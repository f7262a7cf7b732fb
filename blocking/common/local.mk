# What the modules of blocking/tables/ share; proxymap exports it to them.
noinst_LIBRARIES += blocking/libcommon.a
blocking_libcommon_a_SOURCES = \
	blocking/common/answer.c blocking/common/answer.h \
	blocking/common/client_config.c blocking/common/client_config.h \
	blocking/common/domain_filter.c blocking/common/domain_filter.h \
	blocking/common/ldap_quote.c blocking/common/ldap_quote.h \
	blocking/common/query.c blocking/common/query.h \
	blocking/common/server.c blocking/common/server.h \
	blocking/common/template.c blocking/common/template.h \
	blocking/common/wait.c blocking/common/wait.h

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_client_config tests/unit/test_query
tests_unit_test_client_config_SOURCES = tests/unit/test_client_config.c tests/unit/unit.h
tests_unit_test_client_config_LDADD = blocking/libcommon.a lib/libconfig.a $(LIBS_OS) $(CMOCKA_LIBS)
tests_unit_test_query_SOURCES = tests/unit/test_query.c tests/unit/unit.h
tests_unit_test_query_LDADD = blocking/libcommon.a lib/libtable.a lib/libconfig.a lib/libaddress.a $(LIBS_OS) \
	$(LMDB_LIBS) $(PCRE2_LIBS) $(CMOCKA_LIBS) -lpthread
endif

FUZZ_TARGETS += tests/fuzz/fuzz_query
tests_fuzz_fuzz_query_SOURCES = tests/fuzz/fuzz_query.c $(FUZZ_MAIN)
tests_fuzz_fuzz_query_LDADD = blocking/libcommon.a lib/libaddress.a $(LIBS_OS)
tests_fuzz_fuzz_query_LDFLAGS = $(FUZZ_LINK)
