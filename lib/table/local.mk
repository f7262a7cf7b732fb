noinst_LIBRARIES += lib/libtable.a
lib_libtable_a_SOURCES = \
	lib/table/alias_line.c lib/table/alias_line.h \
	lib/table/cdb.c \
	lib/table/cdb_read.c lib/table/cdb_read.h lib/table/cdb_write.h \
	lib/table/cidr.c \
	lib/table/combine.c \
	lib/table/debug.c \
	lib/table/fold.c lib/table/fold.h \
	lib/table/file_value.c lib/table/file_value.h \
	lib/table/literal.c \
	lib/table/lmdb.c \
	lib/table/lmdb_read.c lib/table/lmdb_read.h \
	lib/table/lmdb_write.c lib/table/lmdb_write.h \
	lib/table/match_list.c lib/table/match_list.h \
	lib/table/needle.c lib/table/needle.h \
	lib/table/new_file.c lib/table/new_file.h \
	lib/table/pattern.c lib/table/pattern.h \
	lib/table/pcre.c \
	lib/table/regexp.c \
	lib/table/remote.h lib/table/remote_blocking.c lib/table/remote_fiber.c \
	lib/table/remote_types.c lib/table/remote_wire.c lib/table/remote_wire.h \
	lib/table/small.c \
	lib/table/source.c lib/table/source.h \
	lib/table/table.c lib/table/table.h lib/table/table_type.h \
	lib/table/table_list.c \
	lib/table/trust.c lib/table/trust.h \
	lib/table/unix.c
if HAVE_CDB
lib_libtable_a_SOURCES += lib/table/cdb_write.c
else
lib_libtable_a_SOURCES += lib/table/cdb_none.c
endif

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_fold
tests_unit_test_fold_SOURCES = tests/unit/test_fold.c tests/unit/unit.h
tests_unit_test_fold_LDADD = lib/libtable.a $(LIBS_OS) $(CMOCKA_LIBS)
check_PROGRAMS += tests/unit/test_needle tests/unit/test_table tests/unit/test_table_files
tests_unit_test_needle_SOURCES = tests/unit/test_needle.c tests/unit/unit.h
tests_unit_test_needle_LDADD = lib/libtable.a $(LIBS_OS) $(PCRE2_LIBS) $(CMOCKA_LIBS)
tests_unit_test_table_files_SOURCES = tests/unit/test_table_files.c tests/unit/unit.h
tests_unit_test_table_files_LDADD = lib/libtable.a $(LIBS_OS) $(LMDB_LIBS) $(CDB_LIBS) $(PCRE2_LIBS) \
	$(CMOCKA_LIBS)
tests_unit_test_table_SOURCES = tests/unit/test_table.c tests/unit/unit.h
tests_unit_test_table_LDADD = lib/libtable.a $(LIBS_OS) $(LMDB_LIBS) $(CDB_LIBS) $(PCRE2_LIBS) \
	$(CMOCKA_LIBS)
check_PROGRAMS += tests/unit/test_table_remote
tests_unit_test_table_remote_SOURCES = tests/unit/test_table_remote.c tests/unit/unit.h
tests_unit_test_table_remote_LDADD = lib/libtable.a lib/libipc.a lib/libfiber.a $(LIBS_OS) \
	$(LMDB_LIBS) $(CDB_LIBS) $(PCRE2_LIBS) $(CMOCKA_LIBS) -lpthread
endif

FUZZ_TARGETS += tests/fuzz/fuzz_cdb tests/fuzz/fuzz_lmdb tests/fuzz/fuzz_table
tests_fuzz_fuzz_cdb_SOURCES = tests/fuzz/fuzz_cdb.c $(FUZZ_MAIN)
tests_fuzz_fuzz_cdb_LDADD = lib/libtable.a $(LIBS_OS)
tests_fuzz_fuzz_cdb_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_lmdb_SOURCES = tests/fuzz/fuzz_lmdb.c $(FUZZ_MAIN)
tests_fuzz_fuzz_lmdb_LDADD = lib/libtable.a $(LIBS_OS)
tests_fuzz_fuzz_lmdb_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_table_SOURCES = tests/fuzz/fuzz_table.c $(FUZZ_MAIN)
tests_fuzz_fuzz_table_LDADD = lib/libtable.a $(LIBS_OS) $(PCRE2_LIBS)
tests_fuzz_fuzz_table_LDFLAGS = $(FUZZ_LINK)
