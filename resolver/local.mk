noinst_LIBRARIES += resolver/libresolver.a
resolver_libresolver_a_SOURCES = resolver/answer.c resolver/answer.h resolver/hosts.c \
	resolver/hosts.h resolver/rdata.c resolver/rdata.h
