pkglibexec_PROGRAMS += master/master
master_master_SOURCES = \
	master/configuration.c \
	master/lifetime.c \
	master/listener.c \
	master/main.c \
	master/master.h \
	master/notify.c \
	master/process.c \
	master/service.c
MASTER_LIBS = lib/libdaemon.a lib/liblog.a lib/libconfig.a lib/libfiber.a $(LIBS_OS) -lpthread
master_master_LDADD = $(MASTER_LIBS)

sbin_PROGRAMS += commands/postrider
commands_postrider_SOURCES = commands/postrider.c commands/postrider.h commands/postrider_check.c \
	commands/postrider_load.c commands/postrider_logrotate.c commands/postrider_status.c \
	commands/postrider_status.h commands/postrider_remote.c commands/postrider_remote.h \
	commands/postrider_values.c commands/postrider_values.h \
	commands/adopt.c commands/adopt.h commands/adopt_files.c commands/adopt_main_cf.c \
	commands/adopt_tables.c master/configuration.c master/master.h
commands_postrider_LDADD = blocking/libproxymap.a lib/libdaemon.a $(COMMAND_LIBS)

noinst_PROGRAMS += tests/system/echod
tests_system_echod_SOURCES = tests/system/echod.c
tests_system_echod_LDADD = $(MASTER_LIBS)

noinst_PROGRAMS += tests/system/escape
tests_system_escape_SOURCES = tests/system/escape.c
tests_system_escape_LDADD = $(MASTER_LIBS)

dist_man1_MANS += man/postrider.1 man/postfix.1
dist_man8_MANS += man/master.8
