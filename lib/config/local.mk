noinst_LIBRARIES += lib/libconfig.a
lib_libconfig_a_SOURCES = \
	lib/config/directory.c lib/config/directory.h \
	lib/config/expand.c lib/config/expand.h \
	lib/config/host.c lib/config/host.h \
	lib/config/level.c lib/config/level.h \
	lib/config/main_cf.c lib/config/main_cf.h \
	lib/config/master_cf.c lib/config/master_cf.h \
	lib/config/parameter.c lib/config/parameter.h \
	lib/config/problem.c lib/config/problem.h \
	lib/config/settings.c lib/config/settings.h \
	lib/config/source.c lib/config/source.h \
	lib/config/values.c lib/config/values.h \
	lib/config/words.c
nodist_lib_libconfig_a_SOURCES = gen/config/parameters_gen.c gen/config/settings_gen.h

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_config
tests_unit_test_config_SOURCES = tests/unit/test_config.c tests/unit/unit.h
tests_unit_test_config_LDADD = lib/libconfig.a $(LIBS_OS) $(CMOCKA_LIBS)
endif
