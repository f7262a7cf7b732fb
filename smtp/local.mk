# The SMTP and LMTP client: one program, installed under two names.
SMTP_CLIENT = \
	smtp/client.c smtp/client.h \
	smtp/conf.c smtp/conf.h \
	smtp/connect.c \
	smtp/content.c \
	smtp/downgrade.c smtp/downgrade.h \
	smtp/failure.c smtp/failure.h \
	smtp/hello.c \
	smtp/job.c smtp/job.h \
	smtp/nexthop.c smtp/nexthop.h \
	smtp/policy.c smtp/policy.h \
	smtp/session.c smtp/session.h \
	smtp/starttls.c \
	smtp/target.c smtp/target.h \
	smtp/target_order.c \
	smtp/transaction.c

pkglibexec_PROGRAMS += smtp/smtp
dist_man8_MANS += man/smtp.8 man/lmtp.8
smtp_smtp_SOURCES = smtp/main.c $(SMTP_CLIENT)
smtp_smtp_LDADD = $(DAEMON_LIBS)

INSTALL_EXEC_HOOKS += install-lmtp
install-lmtp:
	rm -f $(DESTDIR)$(pkglibexecdir)/lmtp
	cd $(DESTDIR)$(pkglibexecdir) && $(LN_S) smtp lmtp
UNINSTALL_HOOKS += uninstall-lmtp
uninstall-lmtp:
	rm -f $(DESTDIR)$(pkglibexecdir)/lmtp

SMTP_CLIENT_TEST_LIBS = lib/libsmtp.a lib/libroute.a lib/libmessage.a lib/libaddress.a lib/libtls.a \
	lib/libdns.a lib/libtable.a lib/libipc.a lib/liblog.a lib/libconfig.a lib/libfiber.a

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_smtp_client tests/unit/test_smtp_client_sim
tests_unit_test_smtp_client_SOURCES = tests/unit/test_smtp_client.c tests/unit/unit.h \
	smtp/downgrade.c smtp/failure.c smtp/nexthop.c smtp/policy.c smtp/target_order.c
tests_unit_test_smtp_client_LDADD = $(SMTP_CLIENT_TEST_LIBS) $(LIBS_OS) $(OPENSSL_LIBS) \
	$(LMDB_LIBS) $(PCRE2_LIBS) $(IDN2_LIBS) $(CMOCKA_LIBS) -lpthread
check_PROGRAMS += tests/unit/test_smtp_client_target
tests_unit_test_smtp_client_target_SOURCES = tests/unit/test_smtp_client_target.c tests/unit/unit.h \
	smtp/conf.c smtp/failure.c smtp/nexthop.c smtp/target.c smtp/target_order.c
tests_unit_test_smtp_client_target_LDADD = $(SMTP_CLIENT_TEST_LIBS) $(LIBS_OS) $(OPENSSL_LIBS) \
	$(LMDB_LIBS) $(PCRE2_LIBS) $(IDN2_LIBS) $(CMOCKA_LIBS) -lpthread
tests_unit_test_smtp_client_sim_SOURCES = tests/unit/test_smtp_client_sim.c tests/unit/sim_runs.h \
	tests/unit/unit.h $(SMTP_CLIENT)
tests_unit_test_smtp_client_sim_CPPFLAGS = $(AM_CPPFLAGS) -DSIMULATED
tests_unit_test_smtp_client_sim_LDADD = $(SMTP_CLIENT_TEST_LIBS) lib/libsimnet.a $(LIBS_OS) \
	$(OPENSSL_LIBS) $(LMDB_LIBS) $(PCRE2_LIBS) $(IDN2_LIBS) $(CMOCKA_LIBS) -lpthread
endif

FUZZ_TARGETS += tests/fuzz/fuzz_smtp_downgrade
tests_fuzz_fuzz_smtp_downgrade_SOURCES = tests/fuzz/fuzz_smtp_downgrade.c smtp/downgrade.c $(FUZZ_MAIN)
tests_fuzz_fuzz_smtp_downgrade_LDADD = lib/libmessage.a lib/libaddress.a lib/libbase.a $(IDN2_LIBS)
tests_fuzz_fuzz_smtp_downgrade_LDFLAGS = $(FUZZ_LINK)
