# smtpd's parts are a library, so that its tests link with them.
noinst_LIBRARIES += smtpd/libsmtpd.a
smtpd_libsmtpd_a_SOURCES = \
	smtpd/client.c \
	smtpd/command_bdat.c \
	smtpd/command_data.c \
	smtpd/command_hello.c \
	smtpd/command_mail.c \
	smtpd/command_misc.c \
	smtpd/command_rcpt.c \
	smtpd/command_starttls.c \
	smtpd/process.c \
	smtpd/receive.c \
	smtpd/reply.c \
	smtpd/restriction.c smtpd/restriction.h \
	smtpd/restriction_access.c \
	smtpd/restriction_dns.c \
	smtpd/restriction_name.c \
	smtpd/restriction_parse.c \
	smtpd/restriction_relay.c \
	smtpd/restriction_simple.c \
	smtpd/restriction_stage.c \
	smtpd/session.c smtpd/smtpd.h \
	smtpd/ticket.c

pkglibexec_PROGRAMS += smtpd/smtpd
smtpd_smtpd_SOURCES = smtpd/main.c
smtpd_smtpd_LDADD = smtpd/libsmtpd.a $(DAEMON_LIBS)

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_smtpd_restriction
tests_unit_test_smtpd_restriction_SOURCES = tests/unit/test_smtpd_restriction.c \
	tests/unit/smtpd_world.c tests/unit/smtpd_world.h tests/unit/unit.h
tests_unit_test_smtpd_restriction_LDADD = smtpd/libsmtpd.a $(DAEMON_LIBS) $(CMOCKA_LIBS)

# libsimnet.a before libos.a: its network and clock take the place of the kernel's.
check_PROGRAMS += tests/unit/test_smtpd_sim
tests_unit_test_smtpd_sim_SOURCES = tests/unit/test_smtpd_sim.c tests/unit/sim_runs.h \
	tests/unit/smtpd_world.c tests/unit/smtpd_world.h tests/unit/unit.h
tests_unit_test_smtpd_sim_CPPFLAGS = $(AM_CPPFLAGS) -DSIMULATED
tests_unit_test_smtpd_sim_LDADD = smtpd/libsmtpd.a $(subst lib/libos.a,lib/libsimnet.a \
	lib/libos.a,$(DAEMON_LIBS)) $(CMOCKA_LIBS)
endif
dist_man8_MANS += man/smtpd.8
