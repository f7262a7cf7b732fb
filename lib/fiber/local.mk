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
	lib/fiber/sync.c

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_fiber
tests_unit_test_fiber_SOURCES = tests/unit/test_fiber.c tests/unit/unit.h
tests_unit_test_fiber_LDADD = lib/libfiber.a $(LIBS_OS) $(CMOCKA_LIBS) -lpthread
endif
EXTRA_DIST += lib/fiber/stream.h
