# Table types whose client library blocks: shared objects that proxymap loads when a table asks for them. What they
# call of lib/ and blocking/common/ is the program's.
MODULE_COMPILE = $(AM_CFLAGS) -fPIC
MODULE_LINK = -shared -Wl,-z,relro -Wl,-z,now -Wl,--as-needed

if HAVE_LDAP
pkglibexec_PROGRAMS += blocking/tables/table_ldap.so
blocking_tables_table_ldap_so_SOURCES = blocking/tables/ldap.c blocking/tables/ldap.h \
	blocking/tables/ldap_bound.c \
	blocking/tables/ldap_connect.c \
	blocking/tables/ldap_search.c
blocking_tables_table_ldap_so_CPPFLAGS = $(AM_CPPFLAGS) $(LDAP_CFLAGS)
blocking_tables_table_ldap_so_CFLAGS = $(MODULE_COMPILE)
blocking_tables_table_ldap_so_LDFLAGS = $(MODULE_LINK)
blocking_tables_table_ldap_so_LDADD = $(LDAP_LIBS)
endif

if HAVE_MARIADB
pkglibexec_PROGRAMS += blocking/tables/table_mysql.so
blocking_tables_table_mysql_so_SOURCES = blocking/tables/mysql.c
blocking_tables_table_mysql_so_CPPFLAGS = $(AM_CPPFLAGS) $(MARIADB_CFLAGS)
blocking_tables_table_mysql_so_CFLAGS = $(MODULE_COMPILE)
blocking_tables_table_mysql_so_LDFLAGS = $(MODULE_LINK)
blocking_tables_table_mysql_so_LDADD = $(MARIADB_LIBS)
endif

if HAVE_LIBPQ
pkglibexec_PROGRAMS += blocking/tables/table_pgsql.so
blocking_tables_table_pgsql_so_SOURCES = blocking/tables/pgsql.c
blocking_tables_table_pgsql_so_CPPFLAGS = $(AM_CPPFLAGS) $(LIBPQ_CFLAGS)
blocking_tables_table_pgsql_so_CFLAGS = $(MODULE_COMPILE)
blocking_tables_table_pgsql_so_LDFLAGS = $(MODULE_LINK)
blocking_tables_table_pgsql_so_LDADD = $(LIBPQ_LIBS)
endif

if HAVE_HIREDIS
pkglibexec_PROGRAMS += blocking/tables/table_redis.so
blocking_tables_table_redis_so_SOURCES = blocking/tables/redis.c
blocking_tables_table_redis_so_CPPFLAGS = $(AM_CPPFLAGS) $(HIREDIS_CFLAGS)
blocking_tables_table_redis_so_CFLAGS = $(MODULE_COMPILE)
blocking_tables_table_redis_so_LDFLAGS = $(MODULE_LINK)
blocking_tables_table_redis_so_LDADD = $(HIREDIS_LIBS)
endif

if HAVE_SQLITE
pkglibexec_PROGRAMS += blocking/tables/table_sqlite.so
blocking_tables_table_sqlite_so_SOURCES = blocking/tables/sqlite.c
blocking_tables_table_sqlite_so_CPPFLAGS = $(AM_CPPFLAGS) $(SQLITE_CFLAGS)
blocking_tables_table_sqlite_so_CFLAGS = $(MODULE_COMPILE)
blocking_tables_table_sqlite_so_LDFLAGS = $(MODULE_LINK)
blocking_tables_table_sqlite_so_LDADD = $(SQLITE_LIBS)
endif
