noinst_LIBRARIES += lib/libqueue.a
lib_libqueue_a_SOURCES = \
	lib/queue/envelope.h \
	lib/queue/id.c \
	lib/queue/location.c \
	lib/queue/queue.h
EXTRA_DIST += doc/queue.md

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_queue_id
tests_unit_test_queue_id_SOURCES = tests/unit/test_queue_id.c tests/unit/unit.h
tests_unit_test_queue_id_LDADD = lib/libqueue.a lib/libbase.a $(CMOCKA_LIBS)
endif
