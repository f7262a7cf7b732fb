# One service a file in schema/ipc; each becomes gen/ipc/NAME.h and gen/ipc/NAME.c.
IPC_GENERATED_H = gen/ipc/mail.h gen/ipc/cleanup.h gen/ipc/qmgr.h gen/ipc/delivery.h \
	gen/ipc/bounce.h gen/ipc/resolver.h gen/ipc/maildrop.h gen/ipc/tlsmgr.h \
	gen/ipc/proxymap.h
IPC_GENERATED_C = gen/ipc/mail.c gen/ipc/cleanup.c gen/ipc/qmgr.c gen/ipc/delivery.c \
	gen/ipc/bounce.c gen/ipc/resolver.c gen/ipc/maildrop.c gen/ipc/tlsmgr.c \
	gen/ipc/proxymap.c
IPC_SCHEMA = schema/ipc/generate schema/ipc/generate.awk schema/ipc/mail.ipc schema/ipc/cleanup.ipc \
	schema/ipc/qmgr.ipc schema/ipc/delivery.ipc schema/ipc/bounce.ipc schema/ipc/resolver.ipc \
	schema/ipc/maildrop.ipc schema/ipc/tlsmgr.ipc schema/ipc/proxymap.ipc
EXTRA_DIST += $(IPC_SCHEMA)
BUILT_SOURCES += $(IPC_GENERATED_H)
CLEANFILES += $(IPC_GENERATED_H) $(IPC_GENERATED_C)

$(IPC_GENERATED_H): $(IPC_SCHEMA)
	$(AM_V_GEN)$(SHELL) $(top_srcdir)/schema/ipc/generate $(AWK) header $(top_srcdir) $@
$(IPC_GENERATED_C): $(IPC_SCHEMA)
	$(AM_V_GEN)$(SHELL) $(top_srcdir)/schema/ipc/generate $(AWK) tables $(top_srcdir) $@

noinst_LIBRARIES += lib/libipc.a
lib_libipc_a_SOURCES = lib/ipc/ipc.h lib/ipc/codec.c lib/ipc/conn.c lib/ipc/client.c lib/ipc/mux.c
nodist_lib_libipc_a_SOURCES = $(IPC_GENERATED_C)

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_ipc
tests_unit_test_ipc_SOURCES = tests/unit/test_ipc.c tests/unit/unit.h
tests_unit_test_ipc_LDADD = lib/libipc.a lib/libfiber.a $(LIBS_OS) $(CMOCKA_LIBS) -lpthread
endif

FUZZ_TARGETS += tests/fuzz/fuzz_ipc
tests_fuzz_fuzz_ipc_SOURCES = tests/fuzz/fuzz_ipc.c $(FUZZ_MAIN)
tests_fuzz_fuzz_ipc_LDADD = lib/libipc.a lib/libfiber.a $(LIBS_OS) -lpthread
tests_fuzz_fuzz_ipc_LDFLAGS = $(FUZZ_LINK)
