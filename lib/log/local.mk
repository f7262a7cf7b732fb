# schema/events/*.events become gen/log/events.h and gen/log/events.c.
LOG_SCHEMA = schema/events/generate.awk schema/events/smtp.events schema/events/message.events \
	schema/events/daemon.events
LOG_EVENTS = $(top_srcdir)/schema/events/smtp.events $(top_srcdir)/schema/events/message.events \
	$(top_srcdir)/schema/events/daemon.events
EXTRA_DIST += $(LOG_SCHEMA)
BUILT_SOURCES += gen/log/events.h
CLEANFILES += gen/log/events.h gen/log/events.c

gen/log/events.h: $(LOG_SCHEMA)
	$(AM_V_GEN)$(MKDIR_P) gen/log && $(AWK) -v output=header \
	-f $(top_srcdir)/schema/events/generate.awk $(LOG_EVENTS) > $@.tmp && mv $@.tmp $@
gen/log/events.c: $(LOG_SCHEMA)
	$(AM_V_GEN)$(MKDIR_P) gen/log && $(AWK) -v output=tables \
	-f $(top_srcdir)/schema/events/generate.awk $(LOG_EVENTS) > $@.tmp && mv $@.tmp $@

noinst_LIBRARIES += lib/liblog.a
lib_liblog_a_SOURCES = lib/log/log.h lib/log/options.c lib/log/render.c lib/log/writer.c
nodist_lib_liblog_a_SOURCES = gen/log/events.c

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_log
tests_unit_test_log_SOURCES = tests/unit/test_log.c tests/unit/unit.h
tests_unit_test_log_LDADD = lib/liblog.a lib/libfiber.a $(LIBS_OS) $(CMOCKA_LIBS) -lpthread
endif
