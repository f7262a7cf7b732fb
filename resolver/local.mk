noinst_LIBRARIES += resolver/libresolver.a
resolver_libresolver_a_SOURCES = resolver/answer.c resolver/answer.h resolver/hosts.c \
	resolver/hosts.h resolver/rdata.c resolver/rdata.h

# libunbound is linked here and nowhere else.
pkglibexec_PROGRAMS += resolver/resolver
resolver_resolver_SOURCES = resolver/resolver.c
resolver_resolver_LDADD = resolver/libresolver.a $(DAEMON_LIBS) $(UNBOUND_LIBS)

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_dns
tests_unit_test_dns_SOURCES = tests/unit/test_dns.c tests/unit/unit.h
tests_unit_test_dns_LDADD = resolver/libresolver.a lib/libdns.a lib/libipc.a lib/liblog.a \
	lib/libfiber.a $(LIBS_OS) $(UNBOUND_LIBS) $(CMOCKA_LIBS) -lpthread
endif

FUZZ_TARGETS += tests/fuzz/fuzz_rdata
tests_fuzz_fuzz_rdata_SOURCES = tests/fuzz/fuzz_rdata.c $(FUZZ_MAIN)
tests_fuzz_fuzz_rdata_LDADD = resolver/libresolver.a lib/libbase.a
tests_fuzz_fuzz_rdata_LDFLAGS = $(FUZZ_LINK)

dist_man8_MANS += man/resolver.8
