noinst_LIBRARIES += lib/libaddress.a
lib_libaddress_a_SOURCES = \
	lib/address/address.c lib/address/address.h \
	lib/address/domain.c lib/address/domain.h \
	lib/address/idna.c lib/address/idna.h \
	lib/address/list.c lib/address/list.h \
	lib/address/path.c lib/address/path.h
