/* SPDX-License-Identifier: ISC */
#include "tls/context.h"
#include "base/check.h"
#include "os/file.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include <stdlib.h>

#define DEFAULT_DEPTH 9
#define DEFAULT_SESSIONS 1000

/* What main.cf's grades mean to OpenSSL (TLS_README: tls_high_cipherlist and its sisters). */
#define LIST_HIGH SL("aNULL:-aNULL:HIGH:@STRENGTH")
#define LIST_MEDIUM SL("aNULL:-aNULL:HIGH:MEDIUM:+RC4:@STRENGTH")
#define LIST_LOW SL("aNULL:-aNULL:HIGH:MEDIUM:LOW:+RC4:@STRENGTH")
#define LIST_EXPORT SL("aNULL:-aNULL:HIGH:MEDIUM:LOW:EXPORT:+RC4:@STRENGTH")
#define LIST_NULL SL("eNULL:!aNULL")

static bool given(struct slice file)
{
	return file.n > 0 && !slice_caseeq(file, SL("none"));
}

/* ---- strength */

static struct slice grade_list(const struct tls_options *options, struct slice grade)
{
	if (slice_caseeq(grade, SL("high")))
		return options->high_cipherlist.n > 0 ? options->high_cipherlist : LIST_HIGH;
	if (grade.n == 0 || slice_caseeq(grade, SL("medium")))
		return options->medium_cipherlist.n > 0 ? options->medium_cipherlist : LIST_MEDIUM;
	if (slice_caseeq(grade, SL("low")))
		return LIST_LOW;
	if (slice_caseeq(grade, SL("export")))
		return LIST_EXPORT;
	return slice_caseeq(grade, SL("null")) ? LIST_NULL : SL_NULL;
}

/* cipher_list - the grade's words without those excluded. */
static struct slice cipher_list(struct slice list, struct slice exclude, struct arena *arena)
{
	struct slice word;

	while (slice_next(&exclude, ":, \t\r\n", &word))
		list = arena_printf(arena, "%.*s:!%.*s", SL_ARG(list), SL_ARG(word));
	return list;
}

static char *copy_text(struct slice s)
{
	char *copy = strndup(s.p, s.n);

	if (copy == NULL)
		out_of_memory();
	return copy;
}

static struct slice set_limits(struct tls_context *c, const struct tls_options *options,
			       const struct tls_strength *strength, struct tls_limits *limits,
			       struct arena *arena)
{
	struct slice wrong = protocols_parse(strength->protocols, limits);
	struct slice list = grade_list(options, strength->grade);

	if (!slice_is_null(wrong))
		return arena_printf(arena, "unknown TLS protocol \"%.*s\"", SL_ARG(wrong));
	if (slice_is_null(list))
		return arena_printf(arena, "unknown TLS cipher grade \"%.*s\"",
				    SL_ARG(strength->grade));
	list = cipher_list(list, strength->exclude, arena);
	limits->ciphers = copy_text(list);
	limits->ciphers_with_certificate =
	    copy_text(cipher_list(list, SL("aNULL"), arena));
	/* tried once here, so that it cannot fail in the middle of a session */
	if (SSL_CTX_set_cipher_list(c->ssl, limits->ciphers) != 1 ||
	    SSL_CTX_set_cipher_list(c->ssl, limits->ciphers_with_certificate) != 1)
		return arena_printf(arena, "no TLS cipher is left of \"%s\"", limits->ciphers);
	return SL_NULL;
}

/* ---- certificates */

static struct slice file_problem(const char *what, struct slice file, struct arena *arena)
{
	struct slice why = library_problem(arena);

	return arena_printf(arena, "cannot load %s from %.*s: %.*s", what, SL_ARG(file), SL_ARG(why));
}

static struct slice load_pair(struct tls_context *c, struct slice cert, struct slice key,
			      struct arena *arena)
{
	char *path;

	if (!given(cert))
		return SL_NULL;
	path = arena_str(arena, cert);
	if (path == NULL || SSL_CTX_use_certificate_chain_file(c->ssl, path) != 1)
		return file_problem("certificate", cert, arena);
	if (!given(key))
		key = cert;
	path = arena_str(arena, key);
	if (path == NULL || SSL_CTX_use_PrivateKey_file(c->ssl, path, SSL_FILETYPE_PEM) != 1)
		return file_problem("private key", key, arena);
	if (SSL_CTX_check_private_key(c->ssl) != 1)
		return file_problem("matching private key", key, arena);
	return SL_NULL;
}

/* load_chain - a key and after it its certificates. Several sets may follow each other in separate files. */
static struct slice load_chain(struct tls_context *c, struct slice file, struct arena *arena)
{
	char *path = arena_str(arena, file);

	if (path == NULL || SSL_CTX_use_certificate_chain_file(c->ssl, path) != 1)
		return file_problem("certificate chain", file, arena);
	if (SSL_CTX_use_PrivateKey_file(c->ssl, path, SSL_FILETYPE_PEM) != 1)
		return file_problem("private key", file, arena);
	return SL_NULL;
}

static struct slice load_own(struct tls_context *c, const struct tls_options *o, struct arena *arena)
{
	struct slice files = o->chain_files, file, problem = SL_NULL;

	while (slice_is_null(problem) && slice_next(&files, ", \t\r\n", &file))
		problem = load_chain(c, file, arena);
	if (!slice_is_null(problem) || o->chain_files.n > 0)
		return problem;
	problem = load_pair(c, o->cert_file, o->key_file, arena);
	if (slice_is_null(problem))
		problem = load_pair(c, o->eccert_file, o->eckey_file, arena);
	if (slice_is_null(problem))
		problem = load_pair(c, o->dcert_file, o->dkey_file, arena);
	return problem;
}

/* load_ca_path - every file in it now: the directory is out of reach later. */
static struct slice load_ca_path(struct tls_context *c, struct slice dir, struct arena *arena)
{
	char *path = arena_str(arena, dir);
	struct os_dir *d = path != NULL ? os_dir_open(AT_FDCWD, path) : NULL;
	const char *name;

	if (d == NULL)
		return arena_printf(arena, "cannot open directory %.*s", SL_ARG(dir));
	while (os_dir_next(d, &name) == 1) {
		struct slice file = arena_printf(arena, "%s/%s", path, name);

		/* other things may lie there too: what is no certificate is passed over */
		(void)SSL_CTX_load_verify_file(c->ssl, file.p);
		ERR_clear_error();
	}
	os_dir_close(&d);
	return SL_NULL;
}

static struct slice load_anchors(struct tls_context *c, const struct tls_options *o,
				 struct arena *arena)
{
	char *path;

	if (given(o->ca_file)) {
		path = arena_str(arena, o->ca_file);
		if (path == NULL || SSL_CTX_load_verify_file(c->ssl, path) != 1)
			return file_problem("CA certificates", o->ca_file, arena);
		if (c->server && o->ask_peer_certificate)
			SSL_CTX_set_client_CA_list(c->ssl, SSL_load_client_CA_file(path));
	}
	return given(o->ca_path) ? load_ca_path(c, o->ca_path, arena) : SL_NULL;
}

/* ---- contexts */

/* accept_any - the verdict is kept for the facts; whether it matters is the policy's business. */
static int accept_any(int ok, X509_STORE_CTX *store)
{
	(void)ok;
	(void)store;
	return 1;
}

/* no_password - an encrypted key file is an error, not a question on somebody's terminal. */
static int no_password(char *buf, int size, int writing, void *arg)
{
	(void)buf;
	(void)size;
	(void)writing;
	(void)arg;
	return -1;
}

static void set_defaults(struct tls_context *c, const struct tls_options *o)
{
	bool ask = !c->server || o->ask_peer_certificate;
	uint64_t flags = SSL_OP_ALL | SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
			 SSL_OP_IGNORE_UNEXPECTED_EOF;

	if (o->preempt_cipherlist)
		flags |= SSL_OP_CIPHER_SERVER_PREFERENCE;
	SSL_CTX_set_options(c->ssl, flags);
	/* opportunistic TLS with an old peer beats none; what is allowed is said by the limits */
	SSL_CTX_set_security_level(c->ssl, 0);
	SSL_CTX_set_mode(c->ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_RELEASE_BUFFERS |
				     SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	/* one system call a flight, not two a record */
	SSL_CTX_set_read_ahead(c->ssl, 1);
	SSL_CTX_set_dh_auto(c->ssl, 1);
	SSL_CTX_set_default_passwd_cb(c->ssl, no_password);
	SSL_CTX_set_verify(c->ssl, ask ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, accept_any);
	SSL_CTX_set_verify_depth(c->ssl, o->verify_depth > 0 ? o->verify_depth : DEFAULT_DEPTH);
}

/* keep_session - OpenSSL has a new session of a client; 1: the reference is ours now. */
static int keep_session(SSL *ssl, SSL_SESSION *session)
{
	const struct slice *key = SSL_get_app_data(ssl);
	struct tls_context *c = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));

	if (key == NULL)
		return 0;
	session_cache_put(c, *key, session);
	return 1;
}

static void set_sessions(struct tls_context *c, const struct tls_options *o)
{
	static const unsigned char id_context[] = "smtp";

	SSL_CTX_set_app_data(c->ssl, c);
	if (c->server) {
		SSL_CTX_set_session_cache_mode(c->ssl, SSL_SESS_CACHE_OFF);
		SSL_CTX_set_session_id_context(c->ssl, id_context, sizeof(id_context) - 1);
		if (o->session_lifetime < OS_SECOND) {
			SSL_CTX_set_options(c->ssl, SSL_OP_NO_TICKET);
			SSL_CTX_set_num_tickets(c->ssl, 0);
			return;
		}
		SSL_CTX_set_num_tickets(c->ssl, 1);
		SSL_CTX_set_timeout(c->ssl, (long)(o->session_lifetime / OS_SECOND));
		return;
	}
	c->sessions = map_create();
	c->sessions_max = o->session_cache > 0 ? o->session_cache : DEFAULT_SESSIONS;
	SSL_CTX_set_session_cache_mode(c->ssl, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(c->ssl, keep_session);
}

const char *limits_ciphers(const struct tls_context *c, const struct tls_limits *limits,
			   enum tls_level level)
{
	bool certificate = level > TLS_LEVEL_ENCRYPT || (c->server && c->ask);

	return certificate ? limits->ciphers_with_certificate : limits->ciphers;
}

/* set_usual_ciphers - what most sessions will want is the context's own. */
static void set_usual_ciphers(struct tls_context *c)
{
	c->ciphers = limits_ciphers(c, &c->opportunistic, TLS_LEVEL_MAY);
	CHECK(SSL_CTX_set_cipher_list(c->ssl, c->ciphers) == 1);
}

static struct slice set_up(struct tls_context *c, const struct tls_options *o, struct arena *arena)
{
	struct slice problem;

	set_defaults(c, o);
	set_sessions(c, o);
	problem = set_limits(c, o, &o->mandatory, &c->mandatory, arena);
	if (slice_is_null(problem))
		problem = set_limits(c, o, &o->opportunistic, &c->opportunistic, arena);
	if (!slice_is_null(problem))
		return problem;
	set_usual_ciphers(c);
	problem = load_own(c, o, arena);
	if (slice_is_null(problem) && c->server && SSL_CTX_get0_certificate(c->ssl) == NULL)
		problem = SL("no server certificate is configured");
	if (slice_is_null(problem))
		problem = load_anchors(c, o, arena);
	return problem;
}

static enum result make_context(bool server, const struct tls_options *options, struct arena *arena,
				struct tls_context **context, struct slice *problem)
{
	struct tls_context *c = calloc(1, sizeof(*c));

	if (c == NULL)
		out_of_memory();
	c->server = server;
	c->ask = options->ask_peer_certificate;
	list_init(&c->sessions_used);
	c->ssl = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
	*problem = c->ssl != NULL ? set_up(c, options, arena) : library_problem(arena);
	ERR_clear_error();
	if (slice_is_null(*problem)) {
		*context = c;
		return RES_OK;
	}
	tls_context_destroy(&c);
	*context = NULL;
	return RES_PERM;
}

enum result tls_server_context(const struct tls_options *options, struct arena *arena,
			       struct tls_context **context, struct slice *problem)
{
	return make_context(true, options, arena, context, problem);
}

enum result tls_client_context(const struct tls_options *options, struct arena *arena,
			       struct tls_context **context, struct slice *problem)
{
	return make_context(false, options, arena, context, problem);
}

static void free_limits(struct tls_limits *limits)
{
	free(limits->ciphers);
	free(limits->ciphers_with_certificate);
}

void tls_context_destroy(struct tls_context **context)
{
	struct tls_context *c = *context;

	if (c == NULL)
		return;
	session_cache_free(c);
	SSL_CTX_free(c->ssl);
	free_limits(&c->mandatory);
	free_limits(&c->opportunistic);
	free(c);
	*context = NULL;
}
