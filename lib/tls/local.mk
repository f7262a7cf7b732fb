# TLS under streams, by OpenSSL.
noinst_LIBRARIES += lib/libtls.a
lib_libtls_a_SOURCES = \
	lib/tls/context.c lib/tls/context.h \
	lib/tls/facts.c \
	lib/tls/handshake.c \
	lib/tls/protocol.c \
	lib/tls/session_cache.c \
	lib/tls/ticket.c \
	lib/tls/tls.h \
	lib/tls/transport.c

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_tls tests/unit/test_tls_sim
tests_unit_test_tls_SOURCES = tests/unit/test_tls.c tests/unit/sim_runs.h tests/unit/unit.h
tests_unit_test_tls_LDADD = lib/libtls.a $(FIBER_TEST_LIBS) $(OPENSSL_LIBS)
tests_unit_test_tls_sim_SOURCES = $(tests_unit_test_tls_SOURCES)
tests_unit_test_tls_sim_CPPFLAGS = $(AM_CPPFLAGS) -DSIMULATED -DSIM_RUNS=20
tests_unit_test_tls_sim_LDADD = lib/libtls.a $(FIBER_SIM_LIBS) $(OPENSSL_LIBS)
endif
