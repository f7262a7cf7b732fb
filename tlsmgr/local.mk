pkglibexec_PROGRAMS += tlsmgr/tlsmgr
tlsmgr_tlsmgr_SOURCES = tlsmgr/main.c
tlsmgr_tlsmgr_LDADD = $(DAEMON_LIBS)
dist_man8_MANS += man/tlsmgr.8
