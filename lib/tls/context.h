/* SPDX-License-Identifier: ISC */
/* context - what the files of lib/tls share. */
#ifndef TLS_CONTEXT_H
#define TLS_CONTEXT_H

#include "tls/tls.h"

#include "base/list.h"
#include "base/map.h"

#include <openssl/ssl.h>

/* A parsed struct tls_strength. */
struct tls_limits {
	int min_version; /* as SSL_set_min_proto_version; 0: any */
	int max_version;
	uint64_t off; /* SSL_OP_NO_... for holes in between */
	char *ciphers;
	char *ciphers_with_certificate; /* the same without those that need none */
};

/* The key of session tickets: the order of schema/ipc/tlsmgr.ipc. */
struct ticket_key {
	unsigned char name[16];
	unsigned char cipher[32]; /* AES-256-CBC */
	unsigned char mac[32];    /* HMAC-SHA256 */
};

struct tls_context {
	SSL_CTX *ssl;
	struct tls_limits opportunistic;
	struct tls_limits mandatory;
	bool server;
	bool ask; /* server: request a certificate */
	const char *ciphers; /* what `ssl` has: those of most sessions; one of the lists above */
	struct ticket_key ticket_current, ticket_previous; /* server, once they were set */
	bool has_ticket_previous;
	struct map *sessions;      /* client: key -> struct kept_session */
	struct list sessions_used; /* least recently stored first */
	size_t sessions_max;
};

/* limits_ciphers - the list for a session of that level. */
const char *limits_ciphers(const struct tls_context *c, const struct tls_limits *limits,
			   enum tls_level level);
/* protocols_parse - fill versions and holes; a null slice or what is wrong. */
struct slice protocols_parse(struct slice text, struct tls_limits *limits);

/* session_cache_* - a client's sessions by key. A session found is the caller's to free. */
void session_cache_put(struct tls_context *c, struct slice key, SSL_SESSION *session);
SSL_SESSION *session_cache_get(struct tls_context *c, struct slice key);
void session_cache_drop(struct tls_context *c, struct slice key);
void session_cache_free(struct tls_context *c);

/* facts_collect - after a handshake. */
void facts_collect(SSL *ssl, bool server, const struct tls_want *want, struct arena *arena,
		   struct tls_facts *facts);
/* library_problem - the first of OpenSSL's queued errors, and forget them; "" for none. */
struct slice library_problem(struct arena *arena);

/* transport_handshake - put TLS under the stream. */
enum stream_status transport_handshake(SSL *ssl, struct stream *stream, int64_t deadline,
				       const char *why);

#endif
