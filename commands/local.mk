# Each command is a stanza of its own. A command links with $(COMMAND_LIBS) or with less.

sbin_PROGRAMS += commands/postconf
commands_postconf_SOURCES = commands/postconf.c commands/postconf.h commands/postconf_edit.c \
	commands/postconf_edit_master.c commands/postconf_facts.c commands/postconf_file.c \
	commands/postconf_master.c commands/postconf_notice.c commands/postconf_put.c \
	commands/postconf_show.c commands/postconf_usage.c bounce/wording.c bounce/wording.h
commands_postconf_LDADD = lib/libconfig.a $(LIBS_OS)

# The settings, the log, and how to give up: what a command with $(COMMAND) links with at least.
COMMAND = commands/command.c commands/command.h
COMMAND_BASE_LIBS = lib/liblog.a lib/libconfig.a lib/libfiber.a $(LIBS_OS)

ASK_QMGR = commands/ask_qmgr.c commands/ask_qmgr.h

MAP_TOOL = commands/map_batch.c commands/map_batch.h commands/map_build.c commands/map_content.c \
	commands/map_content.h commands/map_print.c commands/map_query.c commands/map_sort.c \
	commands/map_sort.h commands/map_source.c commands/map_source.h commands/map_target.c \
	commands/map_target.h commands/map_tool.c commands/map_tool.h $(COMMAND)
sbin_PROGRAMS += commands/postmap commands/postalias
commands_postmap_SOURCES = commands/postmap.c $(MAP_TOOL)
commands_postmap_LDADD = lib/libaddress.a lib/libtable.a lib/libipc.a $(COMMAND_BASE_LIBS) $(LMDB_LIBS) $(CDB_LIBS) $(PCRE2_LIBS) -lpthread
commands_postalias_SOURCES = commands/postalias.c $(MAP_TOOL)
commands_postalias_LDADD = $(commands_postmap_LDADD)

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_map
tests_unit_test_map_SOURCES = tests/unit/test_map.c tests/unit/unit.h commands/map_sort.c \
	commands/map_sort.h commands/map_source.c commands/map_source.h
tests_unit_test_map_LDADD = lib/libtable.a $(LIBS_OS) $(CMOCKA_LIBS)
endif
FUZZ_TARGETS += tests/fuzz/fuzz_map_content
tests_fuzz_fuzz_map_content_SOURCES = tests/fuzz/fuzz_map_content.c commands/map_content.c commands/map_content.h \
	$(FUZZ_MAIN)
tests_fuzz_fuzz_map_content_LDADD = $(LIBS_OS)
tests_fuzz_fuzz_map_content_LDFLAGS = $(FUZZ_LINK)

sbin_PROGRAMS += commands/postqueue commands/postsuper commands/postcat
POSTQUEUE_PARTS = commands/postqueue.h commands/postqueue_filter.c commands/postqueue_print.c commands/postqueue_shape.c
commands_postqueue_SOURCES = commands/postqueue.c commands/postqueue_list.c $(POSTQUEUE_PARTS) \
	$(ASK_QMGR) $(GUARDED) $(COMMAND)
commands_postqueue_LDADD = showq/liblisting.a $(DAEMON_LIBS)
commands_postsuper_SOURCES = commands/postsuper.c commands/postsuper.h commands/postsuper_act.c \
	commands/postsuper_ask.c $(COMMAND)
commands_postsuper_LDADD = $(COMMAND_LIBS)
commands_postcat_SOURCES = commands/postcat.c $(COMMAND)
commands_postcat_LDADD = $(COMMAND_LIBS)

sbin_PROGRAMS += commands/postkick
commands_postkick_SOURCES = commands/postkick.c $(ASK_QMGR) $(COMMAND)
commands_postkick_LDADD = lib/libipc.a $(COMMAND_BASE_LIBS) -lpthread

sbin_PROGRAMS += commands/postmulti
dist_man1_MANS += man/postmulti.1
commands_postmulti_SOURCES = commands/postmulti.c commands/postmulti.h commands/postmulti_edit.c \
	commands/postmulti_instance.c $(COMMAND)
commands_postmulti_LDADD = $(COMMAND_BASE_LIBS) -lpthread

sbin_PROGRAMS += commands/postlock
dist_man1_MANS += man/postlock.1
commands_postlock_SOURCES = commands/postlock.c local/lock.c local/lock.h $(COMMAND)
commands_postlock_LDADD = $(COMMAND_BASE_LIBS) -lpthread

sbin_PROGRAMS += commands/postdrop
GUARDED = commands/guarded.c commands/guarded.h
commands_postdrop_SOURCES = $(GUARDED) commands/postdrop.c commands/drop_pipe.c commands/drop_pipe.h $(COMMAND)
commands_postdrop_LDADD = $(DAEMON_LIBS)

# mailq and newaliases are sendmail under another name, and postfix is postrider, for the scripts that call it so;
# postdrop gets its group at installation.
sbin_PROGRAMS += commands/sendmail
commands_sendmail_SOURCES = commands/sendmail.c commands/sendmail.h commands/sendmail_drop.c \
	commands/sendmail_smtp.c commands/sendmail_submit.c commands/drop_pipe.c commands/drop_pipe.h \
	$(COMMAND)
commands_sendmail_LDADD = lib/libsmtp.a lib/libmessage.a lib/libaddress.a $(COMMAND_LIBS)

INSTALL_EXEC_HOOKS += install-commands
install-commands:
	$(MKDIR_P) $(DESTDIR)$(bindir)
	cd $(DESTDIR)$(bindir) && rm -f mailq newaliases && \
		$(LN_S) $(sbindir)/sendmail mailq && $(LN_S) $(sbindir)/sendmail newaliases
	cd $(DESTDIR)$(sbindir) && rm -f postfix && $(LN_S) postrider postfix
	@if test "$$(id -u)" = 0 && getent group postdrop >/dev/null 2>&1 && test -z "$(DESTDIR)"; then \
		for f in postdrop postqueue postlog; do \
			test ! -f $(sbindir)/$$f || { chgrp postdrop $(sbindir)/$$f && chmod 2755 $(sbindir)/$$f; }; \
		done; \
	fi

UNINSTALL_HOOKS += uninstall-commands
uninstall-commands:
	rm -f $(DESTDIR)$(bindir)/mailq $(DESTDIR)$(bindir)/newaliases $(DESTDIR)$(sbindir)/postfix

# set-gid setgid_group once installed: users may log through public/postlog
sbin_PROGRAMS += commands/postlog
dist_man1_MANS += man/postlog.1
commands_postlog_SOURCES = commands/postlog.c $(COMMAND)
commands_postlog_LDADD = $(COMMAND_BASE_LIBS) -lpthread
dist_man1_MANS += man/postqueue.1 man/postsuper.1 man/postcat.1

# Completion: one file for all commands; the shells look for it under each command's name.
COMPLETION_INPUTS = $(PARAMETER_FILES) $(wildcard $(srcdir)/commands/*.c) $(srcdir)/man/sendmail.1
COMPLETION_GENERATOR = $(top_srcdir)/schema/generate/completion.awk
bashcompletiondir = $(datadir)/bash-completion/completions
zshcompletiondir = $(datadir)/zsh/site-functions

gen/completion/postconf: $(COMPLETION_INPUTS) $(COMPLETION_GENERATOR)
	$(AM_V_GEN)$(MKDIR_P) gen/completion && \
	LC_ALL=C $(AWK) -v out=bash -f $(COMPLETION_GENERATOR) $(COMPLETION_INPUTS) >$@.tmp && mv $@.tmp $@

gen/completion/_postrider: $(COMPLETION_INPUTS) $(COMPLETION_GENERATOR)
	$(AM_V_GEN)$(MKDIR_P) gen/completion && \
	LC_ALL=C $(AWK) -v out=zsh -f $(COMPLETION_GENERATOR) $(COMPLETION_INPUTS) >$@.tmp && mv $@.tmp $@

bashcompletion_DATA = gen/completion/postconf
zshcompletion_DATA = gen/completion/_postrider
CLEANFILES += gen/completion/postconf gen/completion/_postrider

COMPLETED = postalias postcat postdrop postkick postlock postlog postmap postmulti postqueue postrider postsuper \
	sendmail
INSTALL_DATA_HOOKS += install-completion
install-completion:
	cd $(DESTDIR)$(bashcompletiondir) && for f in $(COMPLETED); do rm -f $$f && $(LN_S) postconf $$f; done
UNINSTALL_HOOKS += uninstall-completion
uninstall-completion:
	cd $(DESTDIR)$(bashcompletiondir) && rm -f $(COMPLETED)
