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
	smtp/session.c smtp/session.h \
	smtp/starttls.c \
	smtp/target.c smtp/target.h \
	smtp/target_order.c \
	smtp/transaction.c

pkglibexec_PROGRAMS += smtp/smtp
smtp_smtp_SOURCES = smtp/main.c $(SMTP_CLIENT)
smtp_smtp_LDADD = $(DAEMON_LIBS)

INSTALL_EXEC_HOOKS += install-lmtp
install-lmtp:
	rm -f $(DESTDIR)$(pkglibexecdir)/lmtp
	cd $(DESTDIR)$(pkglibexecdir) && $(LN_S) smtp lmtp
UNINSTALL_HOOKS += uninstall-lmtp
uninstall-lmtp:
	rm -f $(DESTDIR)$(pkglibexecdir)/lmtp
