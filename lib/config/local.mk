noinst_LIBRARIES += lib/libconfig.a
lib_libconfig_a_SOURCES = \
	lib/config/directory.h \
	lib/config/expand.h \
	lib/config/main_cf.h \
	lib/config/master_cf.h \
	lib/config/parameter.h \
	lib/config/problem.c lib/config/problem.h \
	lib/config/settings.h
nodist_lib_libconfig_a_SOURCES = gen/config/parameters_gen.c gen/config/settings_gen.h
