pkglibexec_PROGRAMS += cleanup/cleanup
cleanup_cleanup_SOURCES = \
	cleanup/alias.c \
	cleanup/cleanup.h \
	cleanup/commit.c \
	cleanup/envelope.c \
	cleanup/header.c \
	cleanup/large.c \
	cleanup/main.c \
	cleanup/message.c \
	cleanup/received.c \
	cleanup/session.c \
	cleanup/store.c
cleanup_cleanup_LDADD = $(DAEMON_LIBS)
