noinst_LIBRARIES += lib/libconfig.a
lib_libconfig_a_SOURCES = \
	lib/config/directory.c lib/config/directory.h \
	lib/config/environment.c lib/config/environment.h \
	lib/config/expand.c lib/config/expand.h \
	lib/config/given.c \
	lib/config/host.c lib/config/host.h \
	lib/config/level.c lib/config/level.h \
	lib/config/main_cf.c lib/config/main_cf.h \
	lib/config/master_cf.c lib/config/master_cf.h \
	lib/config/nearest.c \
	lib/config/parameter.c lib/config/parameter.h \
	lib/config/problem.c lib/config/problem.h \
	lib/config/restrictions.c \
	lib/config/settings.c lib/config/settings.h \
	lib/config/source.c lib/config/source.h \
	lib/config/usage.c lib/config/usage.h \
	lib/config/database.c lib/config/database.h \
	lib/config/values.c lib/config/values.h \
	lib/config/words.c
nodist_lib_libconfig_a_SOURCES = gen/config/parameters_gen.c gen/config/settings_gen.h

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_config tests/unit/test_config_text tests/unit/test_config_usage
tests_unit_test_config_SOURCES = tests/unit/test_config.c tests/unit/unit.h
tests_unit_test_config_LDADD = lib/libconfig.a $(LIBS_OS) $(CMOCKA_LIBS)
tests_unit_test_config_text_SOURCES = tests/unit/test_config_text.c tests/unit/unit.h
tests_unit_test_config_text_LDADD = lib/libconfig.a $(LIBS_OS) $(CMOCKA_LIBS)
tests_unit_test_config_usage_SOURCES = tests/unit/test_config_usage.c tests/unit/unit.h
tests_unit_test_config_usage_LDADD = lib/libconfig.a $(LIBS_OS) $(CMOCKA_LIBS)
endif

FUZZ_TARGETS += tests/fuzz/fuzz_main_cf tests/fuzz/fuzz_master_cf
tests_fuzz_fuzz_main_cf_SOURCES = tests/fuzz/fuzz_main_cf.c $(FUZZ_MAIN)
tests_fuzz_fuzz_main_cf_LDADD = lib/libconfig.a $(LIBS_OS)
tests_fuzz_fuzz_main_cf_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_master_cf_SOURCES = tests/fuzz/fuzz_master_cf.c $(FUZZ_MAIN)
tests_fuzz_fuzz_master_cf_LDADD = lib/libconfig.a $(LIBS_OS)
tests_fuzz_fuzz_master_cf_LDFLAGS = $(FUZZ_LINK)
