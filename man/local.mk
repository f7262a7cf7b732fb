# Manual pages. Other folders' pages are named here too, a line each.
dist_man1_MANS += man/postconf.1
dist_man1_MANS += man/postalias.1 man/postmap.1
dist_man1_MANS += man/mailq.1 man/newaliases.1 man/postdrop.1 man/postkick.1 man/sendmail.1
dist_man5_MANS += man/cdb_table.5 man/cidr_table.5 man/lmdb_table.5 man/lookup_tables.5
dist_man5_MANS += man/pcre_table.5 man/regexp_table.5
dist_man5_MANS += man/master.5
dist_man5_MANS += man/aliases.5
dist_man8_MANS += man/local.8
dist_man5_MANS += man/ldap_table.5 man/mysql_table.5 man/pgsql_table.5 man/redis_table.5
dist_man5_MANS += man/memcache_table.5 man/socketmap_table.5 man/sqlite_table.5 man/tcp_table.5
dist_man8_MANS += man/proxymap.8
dist_man8_MANS += man/bounce.8 man/cleanup.8 man/discard.8 man/error.8 man/pickup.8
nodist_man5_MANS += gen/man/postconf.5
EXTRA_DIST += man/postconf.5.head man/postconf.5.tail

gen/man/postconf.5: $(PARAMETER_FILES) $(PARAMETER_GENERATOR) $(top_srcdir)/man/postconf.5.head \
		$(top_srcdir)/man/postconf.5.tail
	$(AM_V_GEN)$(MKDIR_P) gen/man && { \
	cat $(top_srcdir)/man/postconf.5.head && \
	CONFIG_DIRECTORY='$(pkgsysconfdir)' COMMAND_DIRECTORY='$(sbindir)' \
	DAEMON_DIRECTORY='$(pkglibexecdir)' QUEUE_DIRECTORY='$(localstatedir)/spool/postrider' \
	DATA_DIRECTORY='$(localstatedir)/lib/postrider' MANPAGE_DIRECTORY='$(mandir)' \
	NEWALIASES_PATH='$(bindir)/newaliases' MAILQ_PATH='$(bindir)/mailq' \
	PACKAGE_VERSION='$(PACKAGE_VERSION)' LC_ALL=C \
	$(AWK) -v out=man -f $(PARAMETER_GENERATOR) $(PARAMETER_FILES) && \
	cat $(top_srcdir)/man/postconf.5.tail; } >$@.tmp && mv $@.tmp $@

CLEANFILES += gen/man/postconf.5
