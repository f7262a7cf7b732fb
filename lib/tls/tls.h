/* SPDX-License-Identifier: ISC */
/*
 * tls - TLS as a transport of streams, by OpenSSL. A context is made at start: it reads all files, so that
 * it must come before privileges are dropped, and nothing is read later. A handshake then puts
 * TLS under a stream, and tells what was agreed in the form that log lines and Received: want.
 *
 * Session tickets: their keys live in the server context's memory, OpenSSL's own until the caller gives
 * others (tls_set_ticket_keys). A client context keeps sessions
 * in memory, by a key that the caller chooses.
 */
#ifndef TLS_TLS_H
#define TLS_TLS_H

#include "base/arena.h"
#include "base/result.h"
#include "fiber/stream.h"

struct tls_context;

/* What a session must reach; ordered. Those after encrypt are for clients, and judge the peer's name. */
enum tls_level {
	TLS_LEVEL_NONE,
	TLS_LEVEL_MAY,
	TLS_LEVEL_ENCRYPT,
	TLS_LEVEL_FINGERPRINT,
	TLS_LEVEL_DANE,
	TLS_LEVEL_DANE_ONLY,
	TLS_LEVEL_VERIFY,
	TLS_LEVEL_SECURE
};

/* tls_level_parse - a word of *_tls_security_level; false when it is none. */
bool tls_level_parse(struct slice word, enum tls_level *level);

/* Which protocols and ciphers, as in main.cf: a pair for opportunistic and one for mandatory TLS. */
struct tls_strength {
	struct slice protocols; /* ">=TLSv1", "!SSLv3, !TLSv1" or "TLSv1.2 TLSv1.3"; "": any */
	struct slice grade;     /* "high", "medium", "low", "export", "null"; "": medium */
	struct slice exclude;   /* words for OpenSSL's cipher lists, each with a ! put before it */
};

struct tls_options {
	/* Own certificates: pairs (key empty or "none": absent; cert "none": no certificate), or chain files. */
	struct slice cert_file, key_file;
	struct slice eccert_file, eckey_file;
	struct slice dcert_file, dkey_file;
	struct slice chain_files; /* a list; each holds a key and its certificates; wins over the pairs */
	struct slice ca_file;     /* trust anchors */
	struct slice ca_path;     /* a directory of them, read whole */
	struct tls_strength opportunistic;
	struct tls_strength mandatory;
	/* The meanings of the grades high and medium; empty: OpenSSL words as in Postfix. */
	struct slice high_cipherlist;
	struct slice medium_cipherlist;
	bool preempt_cipherlist;   /* server: its own order of ciphers, not the client's */
	bool ask_peer_certificate; /* server: request one, require none */
	int verify_depth;          /* 0: 9 */
	size_t session_cache;      /* client: number of sessions kept; 0: 1000 */
	int64_t session_lifetime;  /* server: microseconds for which a session may be resumed; 0: none is */
};

/*
 * tls_server_context, tls_client_context - RES_PERM with *problem (in the arena) when a file or
 * setting is bad: no TLS then; RES_TEMP never. A server without any certificate is RES_PERM.
 */
enum result tls_server_context(const struct tls_options *options, struct arena *arena,
			       struct tls_context **context, struct slice *problem);
enum result tls_client_context(const struct tls_options *options, struct arena *arena,
			       struct tls_context **context, struct slice *problem);
/*
 * tls_set_ticket_keys - a server's tickets are made with `current`; those of `previous` (empty: none) are
 * still taken. Keys are 80 bytes (schema/ipc/tlsmgr.ipc); false: they are not.
 */
bool tls_set_ticket_keys(struct tls_context *context, struct slice current, struct slice previous);
void tls_context_destroy(struct tls_context **context);

/* What one handshake wants. */
struct tls_want {
	enum tls_level level;          /* MAY: the opportunistic strength; above: the mandatory one */
	struct slice server_name;      /* client: SNI, absent for none */
	struct slice session_key;      /* client: cache key: host, port, level...; absent: no reuse */
	const struct slice *names;     /* client, VERIFY and SECURE: any of these must match; ".d": below d */
	size_t name_count;
	const struct slice *fingerprints; /* client, FINGERPRINT: sha256 of certificate or public key */
	size_t fingerprint_count;
};

/* What was agreed. All text lives in the arena given to the handshake. */
struct tls_facts {
	const char *protocol; /* "TLSv1.3" */
	struct slice cipher;  /* "TLS_AES_256_GCM_SHA384" */
	int cipher_bits;      /* used */
	int cipher_all_bits;  /* of the algorithm */
	struct slice details; /* "", or " key-exchange X25519 server-signature ..." (TLSv1.3) */
	bool resumed;
	bool peer_certificate; /* the peer showed one */
	bool trusted;          /* its chain ends at a trust anchor and is in date */
	bool verified;         /* ... and the policy's names or fingerprints match */
	struct slice peer_subject; /* common name; "" */
	struct slice peer_issuer;
	struct slice peer_fingerprint; /* sha256 of the certificate, "AA:BB:..."; "" */
	struct slice verify_problem;   /* why not trusted; "" */
};

/*
 * tls_start_server, tls_start_client - shake hands on a plain stream with empty buffers (see
 * stream_discard_input). STREAM_OK: the stream is encrypted. Otherwise it is good for nothing but
 * stream_close, and *problem says why in OpenSSL's words where it knows any
 * ("error:0A0000C1:SSL routines::no shared cipher"), else "". A client whose level needs a
 * match that fails gets STREAM_OK and facts->verified false: the caller decides.
 */
enum stream_status tls_start_server(struct tls_context *context, struct stream *stream,
				    const struct tls_want *want, int64_t deadline,
				    struct arena *arena, struct tls_facts *facts,
				    struct slice *problem);
enum stream_status tls_start_client(struct tls_context *context, struct stream *stream,
				    const struct tls_want *want, int64_t deadline,
				    struct arena *arena, struct tls_facts *facts,
				    struct slice *problem);

/* tls_active - does TLS lie under this stream? */
bool tls_active(const struct stream *stream);

/* tls_trust - "Anonymous", "Untrusted", "Trusted", "Verified": the first word of the log line. */
const char *tls_trust(const struct tls_facts *facts);
/*
 * tls_summary - "TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits) key-exchange X25519
 * server-signature RSA-PSS (2048 bits) server-digest SHA256": after "established from host[addr]: ".
 */
struct slice tls_summary(const struct tls_facts *facts, struct arena *arena);

#endif
