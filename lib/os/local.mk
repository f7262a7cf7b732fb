# The real system calls. The simulated ones (libsimfile.a, libsimnet.a) define the same functions;
# a test names them in its LDADD before libos.a.
noinst_LIBRARIES += lib/libos.a
lib_libos_a_SOURCES = \
	lib/os/clock.c lib/os/clock.h \
	lib/os/file.c lib/os/file.h \
	lib/os/process.c lib/os/process.h \
	lib/os/host.c lib/os/host.h \
	lib/os/socket.c lib/os/socket.h
