/* SPDX-License-Identifier: ISC */
#include "tls/context.h"
#include "base/check.h"

#include <openssl/err.h>

#include <errno.h>
#include <stdlib.h>

static SSL *new_session(struct tls_context *c, const struct tls_want *want)
{
	const struct tls_limits *limits =
	    want->level > TLS_LEVEL_MAY ? &c->mandatory : &c->opportunistic;
	const char *ciphers = limits_ciphers(c, limits, want->level);
	SSL *ssl = SSL_new(c->ssl);

	if (ssl == NULL)
		out_of_memory();
	SSL_set_min_proto_version(ssl, limits->min_version);
	SSL_set_max_proto_version(ssl, limits->max_version);
	SSL_set_options(ssl, limits->off);
	/* the list was tried when the context was made; to parse it once more costs as much as a signature */
	if (strcmp(ciphers, c->ciphers) != 0)
		CHECK(SSL_set_cipher_list(ssl, ciphers) == 1);
	return ssl;
}

/* shake - the handshake itself, and what it has led to. */
static enum stream_status shake(SSL *ssl, struct stream *stream, bool server,
				const struct tls_want *want, int64_t deadline,
				struct arena *arena, struct tls_facts *facts, struct slice *problem)
{
	enum stream_status status = transport_handshake(ssl, stream, deadline, "TLS handshake");

	*problem = SL("");
	*facts = (struct tls_facts){0};
	if (status == STREAM_OK)
		facts_collect(ssl, server, want, arena, facts);
	else if (status == STREAM_ERROR && stream->error == EPROTO)
		*problem = library_problem(arena);
	ERR_clear_error();
	return status;
}

enum stream_status tls_start_server(struct tls_context *c, struct stream *stream,
				    const struct tls_want *want, int64_t deadline,
				    struct arena *arena, struct tls_facts *facts,
				    struct slice *problem)
{
	SSL *ssl = new_session(c, want);

	SSL_set_accept_state(ssl);
	return shake(ssl, stream, true, want, deadline, arena, facts, problem);
}

/* set_names - SNI, unless the name is an address literal or too long for DNS. */
static void set_names(SSL *ssl, const struct tls_want *want)
{
	char name[256];

	if (want->server_name.n == 0 || want->server_name.n >= sizeof(name))
		return;
	memcpy(name, want->server_name.p, want->server_name.n);
	name[want->server_name.n] = '\0';
	(void)SSL_set_tlsext_host_name(ssl, name);
}

/* set_session - offer what the last handshake with this peer left, and note where to keep the next. */
static void set_session(struct tls_context *c, SSL *ssl, struct slice key)
{
	SSL_SESSION *session = session_cache_get(c, key);
	struct slice *note = malloc(sizeof(*note) + key.n);

	/* TLSv1.3 sends tickets whenever it likes: the note lives as long as the connection */
	if (note == NULL)
		out_of_memory();
	memcpy(note + 1, key.p, key.n);
	*note = slice(note + 1, key.n);
	SSL_set_app_data(ssl, note);
	if (session != NULL) {
		(void)SSL_set_session(ssl, session);
		SSL_SESSION_free(session);
	}
}

enum stream_status tls_start_client(struct tls_context *c, struct stream *stream,
				    const struct tls_want *want, int64_t deadline,
				    struct arena *arena, struct tls_facts *facts,
				    struct slice *problem)
{
	SSL *ssl = new_session(c, want);
	enum stream_status status;

	SSL_set_connect_state(ssl);
	set_names(ssl, want);
	if (want->session_key.n > 0)
		set_session(c, ssl, want->session_key);
	status = shake(ssl, stream, false, want, deadline, arena, facts, problem);
	if (status != STREAM_OK && want->session_key.n > 0)
		session_cache_drop(c, want->session_key);
	return status;
}
