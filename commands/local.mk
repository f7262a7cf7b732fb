# Each command is a stanza of its own. A command links with $(COMMAND_LIBS) or with less.

sbin_PROGRAMS += commands/postconf
commands_postconf_SOURCES = commands/postconf.c commands/postconf.h commands/postconf_edit.c \
	commands/postconf_master.c commands/postconf_show.c commands/postconf_usage.c
commands_postconf_LDADD = lib/libconfig.a $(LIBS_OS)
