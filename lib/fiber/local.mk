# Stackful coroutines and the buffered streams over them.
noinst_LIBRARIES += lib/libfiber.a
lib_libfiber_a_SOURCES = \
	lib/fiber/chunk.c \
	lib/fiber/context.c lib/fiber/context.h \
	lib/fiber/descriptor.c \
	lib/fiber/fiber.c lib/fiber/fiber.h \
	lib/fiber/hook.c \
	lib/fiber/offload.c \
	lib/fiber/scheduler.c lib/fiber/scheduler.h \
	lib/fiber/signals.c \
	lib/fiber/stack.c \
	lib/fiber/stream.c lib/fiber/stream.h lib/fiber/stream_internal.h \
	lib/fiber/stream_read.c lib/fiber/stream_write.c \
	lib/fiber/sync.c

# Each test is linked with the kernel, and again with the simulated network and clock.
FIBER_TEST_LIBS = lib/libfiber.a $(LIBS_OS) $(CMOCKA_LIBS) -lpthread
FIBER_SIM_LIBS = lib/libfiber.a lib/libsimnet.a $(LIBS_OS) $(CMOCKA_LIBS) -lpthread

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_fiber tests/unit/test_fiber_sim
tests_unit_test_fiber_SOURCES = tests/unit/test_fiber.c tests/unit/sim_runs.h tests/unit/unit.h
tests_unit_test_fiber_LDADD = $(FIBER_TEST_LIBS)
tests_unit_test_fiber_sim_SOURCES = $(tests_unit_test_fiber_SOURCES)
tests_unit_test_fiber_sim_CPPFLAGS = $(AM_CPPFLAGS) -DSIMULATED -DSIM_RUNS=60
tests_unit_test_fiber_sim_LDADD = $(FIBER_SIM_LIBS)

check_PROGRAMS += tests/unit/test_stream tests/unit/test_stream_sim
tests_unit_test_stream_SOURCES = tests/unit/test_stream.c tests/unit/sim_runs.h tests/unit/unit.h
tests_unit_test_stream_LDADD = $(FIBER_TEST_LIBS)
tests_unit_test_stream_sim_SOURCES = $(tests_unit_test_stream_SOURCES)
tests_unit_test_stream_sim_CPPFLAGS = $(AM_CPPFLAGS) -DSIMULATED
tests_unit_test_stream_sim_LDADD = $(FIBER_SIM_LIBS)
endif
