# Stackful coroutines and the buffered streams over them.
noinst_LIBRARIES += lib/libfiber.a
lib_libfiber_a_SOURCES = \
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

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_fiber
tests_unit_test_fiber_SOURCES = tests/unit/test_fiber.c tests/unit/unit.h
tests_unit_test_fiber_LDADD = lib/libfiber.a $(LIBS_OS) $(CMOCKA_LIBS) -lpthread

check_PROGRAMS += tests/unit/test_stream
tests_unit_test_stream_SOURCES = tests/unit/test_stream.c tests/unit/sim_runs.h tests/unit/unit.h
tests_unit_test_stream_LDADD = lib/libfiber.a $(LIBS_OS) $(CMOCKA_LIBS) -lpthread
endif
