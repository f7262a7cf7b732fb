# Stackful coroutines and the buffered streams over them.
EXTRA_DIST += lib/fiber/fiber.h lib/fiber/stream.h
