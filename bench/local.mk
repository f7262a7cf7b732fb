# The bench (./dev bench): generators of its own where Postfix's do not reach. They take nothing from lib/.
noinst_PROGRAMS += bench/load
bench_load_SOURCES = \
	bench/load.c \
	bench/load.h \
	bench/load_idle.c \
	bench/load_sink.c \
	bench/load_source.c \
	bench/load_spawn.c \
	bench/load_task.c \
	bench/load_wire.c
bench_load_LDADD = $(OPENSSL_LIBS) -lpthread

EXTRA_DIST += $(wildcard $(srcdir)/bench/*.py) $(wildcard $(srcdir)/bench/*.md)
