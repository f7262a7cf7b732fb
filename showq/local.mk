# The listing is a library of its own: postqueue reads it, and makes it when the system is down.
noinst_LIBRARIES += showq/liblisting.a
showq_liblisting_a_SOURCES = showq/listing.c showq/listing.h

pkglibexec_PROGRAMS += showq/showq
showq_showq_SOURCES = showq/showq.c
showq_showq_LDADD = showq/liblisting.a lib/libdaemon.a $(COMMAND_LIBS)

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_qmgr_listing
tests_unit_test_qmgr_listing_SOURCES = tests/unit/test_qmgr_listing.c tests/unit/unit.h
tests_unit_test_qmgr_listing_LDADD = showq/liblisting.a lib/libqueue.a lib/libipc.a lib/libfiber.a $(LIBS_OS) $(CMOCKA_LIBS) -lpthread
endif

dist_man8_MANS += man/showq.8
