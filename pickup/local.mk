pkglibexec_PROGRAMS += pickup/pickup
pickup_pickup_SOURCES = pickup/main.c pickup/submit.c pickup/submit.h
pickup_pickup_LDADD = $(DAEMON_LIBS)
