/* SPDX-License-Identifier: ISC */
/* postconf_facts - what this build can do: tables, locks, SASL, TLS. */
#include "commands/postconf.h"

#include "os/file.h"

#include <dlfcn.h>
#include <openssl/evp.h>
#include <openssl/opensslv.h>
#include <stdio.h>

#define QUOTE(x) #x
#define SONAME(major) "libcrypto.so." QUOTE(major)

static void put_words(struct postconf *pc, const char *words)
{
	struct slice rest = slice_str(words);
	struct slice word;

	while (slice_next(&rest, " ", &word)) {
		if (pc->json)
			postconf_put_json(&pc->out, word);
		else
			buffer_append(&pc->out, word);
		buffer_append_byte(&pc->out, '\n');
	}
}

/* The types of lib/table/table.c; a type that is added there is added here. */
static const char *const types[] = {
    "btree",  "cdb",	  "cidr",  "debug",    "environ",  "fail",   "hash",
    "inline", "internal", "ldap",  "lmdb",     "memcache", "mysql",  "pcre",
    "pgsql",  "pipemap",  "proxy", "randmap",  "redis",	   "regexp", "socketmap",
    "sqlite", "static",	  "tcp",   "texthash", "unionmap", "unix",
};
/* Those that proxymap loads from a file of their own, where it was built or installed. */
static const char modules[] = "ldap mysql pgsql redis sqlite";

static bool has_type(const char *type)
{
	struct slice rest = slice_str(modules);
	struct slice word;
	struct stat st;

	while (slice_next(&rest, " ", &word))
		if (slice_eq(word, slice_str(type))) {
			char path[sizeof(DAEMON_DIRECTORY "/table_socketmap.so")];

			snprintf(path, sizeof(path), DAEMON_DIRECTORY "/table_%s.so", type);
			return os_fstatat(AT_FDCWD, path, &st, 0) == 0;
		}
	return true;
}

static void put_types(struct postconf *pc)
{
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (has_type(types[i]))
			put_words(pc, types[i]);
}

/* symbol - of libcrypto, loaded for -T alone: it would double the time that any other run takes. */
static void *symbol(const char *name)
{
	void *library = dlopen(SONAME(OPENSSL_VERSION_MAJOR), RTLD_NOW);

	if (library == NULL)
		postconf_fatal("%s", dlerror());
	return dlsym(library, name);
}

static void put_version(struct postconf *pc)
{
	const char *(*version)(int) = (const char *(*)(int))symbol("OpenSSL_version");

	if (version)
		buffer_printf(&pc->out, "%s\n", version(OPENSSL_VERSION));
}

/* put_algorithms - those of keys that certificates may have, aliases and parameters left out. */
static void put_algorithms(struct postconf *pc)
{
	static const char *const names[] = {"rsa",	 "rsa-pss",   "dsa",
					    "ec",	 "ed25519",   "ed448",
					    "ml-dsa-44", "ml-dsa-65", "ml-dsa-87"};
	EVP_PKEY_CTX *(*create)(OSSL_LIB_CTX *, const char *, const char *) =
	    (EVP_PKEY_CTX * (*)(OSSL_LIB_CTX *, const char *, const char *))
		symbol("EVP_PKEY_CTX_new_from_name");
	void (*destroy)(EVP_PKEY_CTX *) = (void (*)(EVP_PKEY_CTX *))symbol("EVP_PKEY_CTX_free");

	for (size_t i = 0; create && destroy && i < sizeof(names) / sizeof(names[0]); i++) {
		EVP_PKEY_CTX *context = create(NULL, names[i], NULL);

		if (context)
			buffer_printf(&pc->out, "%s\n",
				      slice_eq(slice_str(names[i]), SL("ec")) ? "ecdsa" : names[i]);
		destroy(context);
	}
}

static void show_tls(struct postconf *pc, const char *mode)
{
	struct slice name = slice_str(mode);

	if (slice_eq(name, SL("compile-version")))
		buffer_printf(&pc->out, "%s\n", OPENSSL_VERSION_TEXT);
	else if (slice_eq(name, SL("run-version")))
		put_version(pc);
	else if (slice_eq(name, SL("public-key-algorithms")))
		put_algorithms(pc);
	else
		postconf_fatal(
		    "unknown 'postconf -T' mode: %s (allowed: compile-version, run-version, "
		    "public-key-algorithms)",
		    mode);
}

void postconf_show_facts(struct postconf *pc, const char *tls_mode)
{
	switch (pc->mode) {
	case MODE_LOCKS:
		put_words(pc, "flock fcntl dotlock");
		break;
	case MODE_MAPS:
		put_types(pc);
		break;
	case MODE_TLS:
		show_tls(pc, tls_mode);
		break;
	default: /* SASL has no type in this build */
		break;
	}
}
