noinst_LIBRARIES += lib/libqueue.a
lib_libqueue_a_SOURCES = \
	lib/queue/aside.c \
	lib/queue/codec.c lib/queue/codec.h \
	lib/queue/envelope.h \
	lib/queue/flush.c \
	lib/queue/id.c \
	lib/queue/large.c \
	lib/queue/list.c \
	lib/queue/location.c \
	lib/queue/maildrop.c lib/queue/maildrop.h \
	lib/queue/mark_log.c \
	lib/queue/marks.c lib/queue/marks.h \
	lib/queue/message.c lib/queue/message.h \
	lib/queue/move.c \
	lib/queue/owner.c lib/queue/owner.h \
	lib/queue/queue.h \
	lib/queue/record.c lib/queue/record.h \
	lib/queue/recover.c \
	lib/queue/requeue.c \
	lib/queue/segment.c lib/queue/segment.h \
	lib/queue/upkeep.c \
	lib/queue/writer.c lib/queue/writer.h
EXTRA_DIST += doc/queue.md

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_queue_id
tests_unit_test_queue_id_SOURCES = tests/unit/test_queue_id.c tests/unit/unit.h
tests_unit_test_queue_id_LDADD = lib/libqueue.a lib/libbase.a $(CMOCKA_LIBS)
endif

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_queue
tests_unit_test_queue_SOURCES = tests/unit/test_queue.c tests/unit/unit.h
tests_unit_test_queue_LDADD = lib/libqueue.a $(LIBS_OS) $(CMOCKA_LIBS) -lpthread
endif

# Power cuts, kills and failing calls over the whole queue on the simulated disk. `make check` runs a
# slice of it; tests/crash/queue_ledger --full cuts at every call.
check_PROGRAMS += tests/crash/queue_ledger
tests_crash_queue_ledger_SOURCES = tests/crash/queue_ledger.c
tests_crash_queue_ledger_LDADD = lib/libqueue.a lib/libsimfile.a $(LIBS_OS) -lpthread

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_queue_damage
tests_unit_test_queue_damage_SOURCES = tests/unit/test_queue_damage.c tests/unit/unit.h
tests_unit_test_queue_damage_LDADD = lib/libqueue.a lib/libsimfile.a $(LIBS_OS) $(CMOCKA_LIBS) -lpthread
endif

FUZZ_TARGETS += tests/fuzz/fuzz_queue_record
tests_fuzz_fuzz_queue_record_SOURCES = tests/fuzz/fuzz_queue_record.c $(FUZZ_MAIN)
tests_fuzz_fuzz_queue_record_LDADD = lib/libqueue.a lib/libsimfile.a $(LIBS_OS) -lpthread
tests_fuzz_fuzz_queue_record_LDFLAGS = $(FUZZ_LINK)
