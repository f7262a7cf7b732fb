# The scheduler is a library of its own: the unit tests link it without the daemon.
noinst_LIBRARIES += qmgr/libscheduler.a
qmgr_libscheduler_a_SOURCES = \
	qmgr/scheduler.c qmgr/scheduler.h \
	qmgr/scheduler_job.c \
	qmgr/scheduler_state.h \
	qmgr/scheduler_transport.c

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_qmgr_scheduler
tests_unit_test_qmgr_scheduler_SOURCES = tests/unit/test_qmgr_scheduler.c tests/unit/unit.h
tests_unit_test_qmgr_scheduler_LDADD = qmgr/libscheduler.a lib/libbase.a $(CMOCKA_LIBS) -lm
endif
