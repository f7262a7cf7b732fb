# Each command is a stanza of its own. A command links with $(COMMAND_LIBS) or with less.

sbin_PROGRAMS += commands/postconf
commands_postconf_SOURCES = commands/postconf.c commands/postconf.h commands/postconf_edit.c \
	commands/postconf_master.c commands/postconf_show.c commands/postconf_usage.c
commands_postconf_LDADD = lib/libconfig.a $(LIBS_OS)

MAP_TOOL = commands/map_build.c commands/map_content.c commands/map_query.c commands/map_tool.c \
	commands/map_tool.h
sbin_PROGRAMS += commands/postmap commands/postalias
commands_postmap_SOURCES = commands/postmap.c $(MAP_TOOL)
commands_postmap_LDADD = lib/libtable.a lib/libconfig.a $(LIBS_OS) $(LMDB_LIBS) $(PCRE2_LIBS)
commands_postalias_SOURCES = commands/postalias.c $(MAP_TOOL)
commands_postalias_LDADD = $(commands_postmap_LDADD)

QUEUE_TOOL = commands/queue_tool.c commands/queue_tool.h
sbin_PROGRAMS += commands/postqueue commands/postsuper commands/postcat
commands_postqueue_SOURCES = commands/postqueue.c $(QUEUE_TOOL)
commands_postqueue_LDADD = showq/liblisting.a $(COMMAND_LIBS)
commands_postsuper_SOURCES = commands/postsuper.c $(QUEUE_TOOL)
commands_postsuper_LDADD = $(COMMAND_LIBS)
commands_postcat_SOURCES = commands/postcat.c $(QUEUE_TOOL)
commands_postcat_LDADD = $(COMMAND_LIBS)
