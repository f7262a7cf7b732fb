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

pkglibexec_PROGRAMS += qmgr/qmgr
qmgr_qmgr_SOURCES = \
	qmgr/agent.c \
	qmgr/claim.c \
	qmgr/content.c \
	qmgr/control.c \
	qmgr/daemon.c \
	qmgr/deliver.c \
	qmgr/event.c \
	qmgr/handover.c \
	qmgr/index.c \
	qmgr/load.c \
	qmgr/qmgr.h \
	qmgr/report.c \
	qmgr/settle.c
qmgr_qmgr_LDADD = qmgr/libscheduler.a lib/libdaemon.a $(COMMAND_LIBS) -lm

# What the system tests of qmgr put messages into the queue with.
noinst_PROGRAMS += tests/system/queue_put
tests_system_queue_put_SOURCES = tests/system/queue_put.c
tests_system_queue_put_LDADD = $(COMMAND_LIBS)

dist_man8_MANS += man/qmgr.8
EXTRA_DIST += tests/system/qmgr_world.py tests/system/test_qmgr.py tests/system/test_postqueue.py \
	tests/system/test_reload.py tests/system/test_drain.py
