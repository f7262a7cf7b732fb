noinst_LIBRARIES += blocking/libproxymap.a
blocking_libproxymap_a_SOURCES = \
	blocking/proxymap/asker.c blocking/proxymap/asker.h \
	blocking/proxymap/breaker.c blocking/proxymap/breaker.h \
	blocking/proxymap/catalog.c blocking/proxymap/catalog.h \
	blocking/proxymap/endpoint.c blocking/proxymap/endpoint.h \
	blocking/proxymap/memcache.c \
	blocking/proxymap/memcache_text.c blocking/proxymap/memcache_text.h \
	blocking/proxymap/module.h blocking/proxymap/own.h \
	blocking/proxymap/peer.c \
	blocking/proxymap/serve.c blocking/proxymap/serve.h \
	blocking/proxymap/serving.c blocking/proxymap/serving.h \
	blocking/proxymap/socketmap.c \
	blocking/proxymap/socketmap_text.c blocking/proxymap/socketmap_text.h \
	blocking/proxymap/tcp.c \
	blocking/proxymap/tcp_text.c blocking/proxymap/tcp_text.h \
	blocking/proxymap/threads.c blocking/proxymap/threads.h

# Modules (blocking/tables) find what they call in the program: all of these two, and all symbols visible.
pkglibexec_PROGRAMS += blocking/proxymap/proxymap
blocking_proxymap_proxymap_SOURCES = blocking/proxymap/main.c
blocking_proxymap_proxymap_LDFLAGS = $(AM_LDFLAGS) -Wl,--export-dynamic
blocking_proxymap_proxymap_LDADD = blocking/libproxymap.a \
	$(WHOLE_ARCHIVE) blocking/libcommon.a lib/libos.a lib/libbase.a $(NO_WHOLE_ARCHIVE) \
	$(DAEMON_LIBS) -ldl
blocking_proxymap_proxymap_DEPENDENCIES = blocking/libproxymap.a blocking/libcommon.a \
	$(filter %.a,$(DAEMON_LIBS))

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_asker tests/unit/test_breaker tests/unit/test_remote_text
tests_unit_test_asker_SOURCES = tests/unit/test_asker.c tests/unit/unit.h
tests_unit_test_asker_LDADD = blocking/libproxymap.a lib/liblog.a lib/libfiber.a $(LIBS_OS) \
	$(CMOCKA_LIBS) -lpthread
tests_unit_test_remote_text_SOURCES = tests/unit/test_remote_text.c tests/unit/unit.h
tests_unit_test_remote_text_LDADD = blocking/libproxymap.a lib/libtable.a lib/libconfig.a $(LIBS_OS) \
	$(LMDB_LIBS) $(PCRE2_LIBS) $(CMOCKA_LIBS)
tests_unit_test_breaker_SOURCES = tests/unit/test_breaker.c tests/unit/unit.h
tests_unit_test_breaker_LDADD = blocking/libproxymap.a $(LIBS_OS) $(CMOCKA_LIBS)
endif

FUZZ_TARGETS += tests/fuzz/fuzz_remote_text
tests_fuzz_fuzz_remote_text_SOURCES = tests/fuzz/fuzz_remote_text.c $(FUZZ_MAIN)
tests_fuzz_fuzz_remote_text_LDADD = blocking/libproxymap.a $(LIBS_OS)
tests_fuzz_fuzz_remote_text_LDFLAGS = $(FUZZ_LINK)
