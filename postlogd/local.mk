pkglibexec_PROGRAMS += postlogd/postlogd
postlogd_postlogd_SOURCES = postlogd/postlogd.c postlogd/log_file.c postlogd/log_file.h
postlogd_postlogd_LDADD = $(DAEMON_LIBS)
