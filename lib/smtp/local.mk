noinst_LIBRARIES += lib/libsmtp.a
lib_libsmtp_a_SOURCES = \
	lib/smtp/command.c lib/smtp/command.h \
	lib/smtp/data.c lib/smtp/data.h \
	lib/smtp/ehlo.c lib/smtp/ehlo.h \
	lib/smtp/reply.c lib/smtp/reply.h \
	lib/smtp/status.c lib/smtp/status.h
nodist_lib_libsmtp_a_SOURCES = gen/status_table.c

status_declarations = $(top_srcdir)/schema/status/enhanced.decl $(top_srcdir)/schema/status/reply.decl
gen/status_table.c: $(top_srcdir)/schema/status/generate.awk $(status_declarations)
	$(AM_V_GEN)$(MKDIR_P) gen && \
	$(AWK) -f $(top_srcdir)/schema/status/generate.awk $(status_declarations) >$@.tmp && mv $@.tmp $@
CLEANFILES += gen/status_table.c gen/status_table.c.tmp
EXTRA_DIST += schema/status/generate.awk schema/status/enhanced.decl schema/status/reply.decl

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_smtp
tests_unit_test_smtp_SOURCES = tests/unit/test_smtp.c tests/unit/unit.h
tests_unit_test_smtp_LDADD = lib/libsmtp.a lib/libmessage.a lib/libaddress.a lib/libbase.a $(IDN2_LIBS) $(CMOCKA_LIBS)
endif

FUZZ_TARGETS += tests/fuzz/fuzz_smtp_command
tests_fuzz_fuzz_smtp_command_SOURCES = tests/fuzz/fuzz_smtp_command.c $(FUZZ_MAIN)
tests_fuzz_fuzz_smtp_command_LDADD = lib/libsmtp.a lib/libmessage.a lib/libaddress.a lib/libbase.a $(IDN2_LIBS)
tests_fuzz_fuzz_smtp_command_LDFLAGS = $(FUZZ_LINK)
FUZZ_TARGETS += tests/fuzz/fuzz_smtp_data
tests_fuzz_fuzz_smtp_data_SOURCES = tests/fuzz/fuzz_smtp_data.c $(FUZZ_MAIN)
tests_fuzz_fuzz_smtp_data_LDADD = lib/libsmtp.a lib/libmessage.a lib/libaddress.a lib/libbase.a $(IDN2_LIBS)
tests_fuzz_fuzz_smtp_data_LDFLAGS = $(FUZZ_LINK)
FUZZ_TARGETS += tests/fuzz/fuzz_smtp_reply
tests_fuzz_fuzz_smtp_reply_SOURCES = tests/fuzz/fuzz_smtp_reply.c $(FUZZ_MAIN)
tests_fuzz_fuzz_smtp_reply_LDADD = lib/libsmtp.a lib/libmessage.a lib/libaddress.a lib/libbase.a $(IDN2_LIBS)
tests_fuzz_fuzz_smtp_reply_LDFLAGS = $(FUZZ_LINK)
FUZZ_TARGETS += tests/fuzz/fuzz_ehlo
tests_fuzz_fuzz_ehlo_SOURCES = tests/fuzz/fuzz_ehlo.c $(FUZZ_MAIN)
tests_fuzz_fuzz_ehlo_LDADD = lib/libsmtp.a lib/libmessage.a lib/libaddress.a lib/libbase.a $(IDN2_LIBS)
tests_fuzz_fuzz_ehlo_LDFLAGS = $(FUZZ_LINK)
