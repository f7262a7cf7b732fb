pkglibexec_PROGRAMS += master/master
master_master_SOURCES = \
	master/configuration.c \
	master/lifetime.c \
	master/listener.c \
	master/main.c \
	master/master.h \
	master/notify.c \
	master/process.c \
	master/service.c
MASTER_LIBS = lib/libdaemon.a lib/liblog.a lib/libconfig.a lib/libfiber.a $(LIBS_OS) $(SECCOMP_LIBS) -lpthread
master_master_LDADD = $(MASTER_LIBS)
