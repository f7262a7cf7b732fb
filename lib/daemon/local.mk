# The table of privileges is made from schema/privileges/processes.
PRIVILEGES = $(top_srcdir)/schema/privileges/processes
PRIVILEGES_GENERATOR = $(top_srcdir)/schema/privileges/generate.awk
EXTRA_DIST += schema/privileges

gen/daemon/privileges_gen.inc: $(PRIVILEGES) $(PRIVILEGES_GENERATOR)
	$(AM_V_GEN)$(MKDIR_P) gen/daemon && \
	LC_ALL=C $(AWK) -f $(PRIVILEGES_GENERATOR) $(PRIVILEGES) >$@.tmp && mv $@.tmp $@

BUILT_SOURCES += gen/daemon/privileges_gen.inc
CLEANFILES += gen/daemon/privileges_gen.inc

# The filters of system calls, made from the same by a program that is run here and not installed.
noinst_PROGRAMS += lib/daemon/calls_make
lib_daemon_calls_make_SOURCES = lib/daemon/calls_make.c lib/daemon/privileges.c
lib_daemon_calls_make_LDADD = lib/libbase.a $(SECCOMP_LIBS)
lib/daemon/calls_make.$(OBJEXT) lib/daemon/privileges.$(OBJEXT): gen/daemon/privileges_gen.inc

gen/daemon/calls_gen.inc: lib/daemon/calls_make$(EXEEXT)
	$(AM_V_GEN)$(MKDIR_P) gen/daemon && lib/daemon/calls_make$(EXEEXT) >$@.tmp && mv $@.tmp $@

BUILT_SOURCES += gen/daemon/calls_gen.inc
CLEANFILES += gen/daemon/calls_gen.inc

noinst_LIBRARIES += lib/libdaemon.a
lib_libdaemon_a_SOURCES = \
	lib/daemon/arguments.c \
	lib/daemon/become.c \
	lib/daemon/agent.c lib/daemon/agent.h \
	lib/daemon/agent_link.c lib/daemon/agent_link.h \
	lib/daemon/agent_session.c \
	lib/daemon/intake.c lib/daemon/intake.h \
	lib/daemon/mail_date.c lib/daemon/mail_date.h \
	lib/daemon/calls.c lib/daemon/calls.h \
	lib/daemon/command.c lib/daemon/command.h \
	lib/daemon/control.c \
	lib/daemon/daemon.c lib/daemon/daemon.h \
	lib/daemon/layout.c lib/daemon/layout.h \
	lib/daemon/privileges.c lib/daemon/privileges.h \
	lib/daemon/run.h \
	lib/daemon/sandbox.c lib/daemon/sandbox.h \
	lib/daemon/sessions.c \
	lib/daemon/tables.c

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_daemon
tests_unit_test_daemon_SOURCES = tests/unit/test_daemon.c tests/unit/unit.h
tests_unit_test_daemon_LDADD = lib/libdaemon.a lib/liblog.a lib/libconfig.a lib/libfiber.a \
	$(LIBS_OS) $(CMOCKA_LIBS) -lpthread

check_PROGRAMS += tests/unit/test_intake
tests_unit_test_intake_SOURCES = tests/unit/test_intake.c tests/unit/unit.h
tests_unit_test_intake_LDADD = lib/libdaemon.a lib/libipc.a lib/liblog.a lib/libfiber.a $(LIBS_OS) \
	$(CMOCKA_LIBS) -lpthread
endif
