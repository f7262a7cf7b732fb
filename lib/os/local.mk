# The real system calls. The simulated ones (libsimfile.a, libsimnet.a) define the same functions;
# a test names them in its LDADD before libos.a.
noinst_LIBRARIES += lib/libos.a
lib_libos_a_SOURCES = \
	lib/os/address.c lib/os/address.h \
	lib/os/clock.c lib/os/clock.h \
	lib/os/close.c \
	lib/os/file.c lib/os/file.h \
	lib/os/process.c lib/os/process.h \
	lib/os/host.c lib/os/host.h \
	lib/os/socket.c lib/os/socket.h \
	lib/os/zone.c lib/os/zone.h

# What fibers stand on.
lib_libos_a_SOURCES += \
	lib/os/signal.c lib/os/signal.h \
	lib/os/stack.c lib/os/stack.h \
	lib/os/worker.c lib/os/worker.h

# A network and a clock in memory: os/sim.h.
check_LIBRARIES += lib/libsimnet.a
lib_libsimnet_a_SOURCES = \
	lib/os/sim.h lib/os/sim_world.h \
	lib/os/sim_clock.c lib/os/sim_close.c lib/os/sim_net.c lib/os/sim_worker.c

# A disk in memory instead of the kernel's, for the power-cut tests.
check_LIBRARIES += lib/libsimfile.a
lib_libsimfile_a_SOURCES = lib/os/sim_disk.c lib/os/sim_disk.h
