noinst_LIBRARIES += lib/libdns.a
lib_libdns_a_SOURCES = lib/dns/cache.c lib/dns/cache.h lib/dns/dns.c lib/dns/dns.h
