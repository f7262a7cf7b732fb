pkglibexec_PROGRAMS += error/error error/discard
error_error_SOURCES = error/error.c error/deliver.c error/deliver.h
error_error_LDADD = $(DAEMON_LIBS)
error_discard_SOURCES = error/discard.c error/deliver.c error/deliver.h
error_discard_LDADD = $(DAEMON_LIBS)
