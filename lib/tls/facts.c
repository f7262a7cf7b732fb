/* SPDX-License-Identifier: ISC */
#include "tls/context.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

struct slice library_problem(struct arena *arena)
{
	unsigned long code = ERR_get_error();
	char text[256];

	if (code == 0)
		return SL("");
	ERR_error_string_n(code, text, sizeof(text));
	ERR_clear_error();
	return arena_dup(arena, slice_str(text));
}

/* key_text - "X25519", "ECDHE (P-256)", "DHE (2048 bits)" for a key exchange's key. */
static struct slice key_text(const EVP_PKEY *key, struct arena *arena)
{
	char group[64];
	size_t n;

	switch (EVP_PKEY_get_base_id(key)) {
	case EVP_PKEY_DH:
		return arena_printf(arena, "DHE (%d bits)", EVP_PKEY_get_bits(key));
	case EVP_PKEY_EC:
		if (EVP_PKEY_get_group_name((EVP_PKEY *)key, group, sizeof(group), &n) != 1)
			return SL("ECDHE");
		return arena_printf(arena, "ECDHE (%s)", group);
	default:
		return slice_str(OBJ_nid2sn(EVP_PKEY_get_base_id(key)));
	}
}

/* signature_text - "RSA-PSS (2048 bits)", "ECDSA (prime256v1)", "ED25519". */
static struct slice signature_text(int type, const EVP_PKEY *key, struct arena *arena)
{
	char group[64];
	size_t n;

	switch (type) {
	case EVP_PKEY_RSA:
		return arena_printf(arena, "RSA (%d bits)", EVP_PKEY_get_bits(key));
	case EVP_PKEY_RSA_PSS:
		return arena_printf(arena, "RSA-PSS (%d bits)", EVP_PKEY_get_bits(key));
	case EVP_PKEY_EC:
		if (EVP_PKEY_get_group_name((EVP_PKEY *)key, group, sizeof(group), &n) != 1)
			return SL("ECDSA");
		return arena_printf(arena, "ECDSA (%s)", group);
	default:
		return slice_str(OBJ_nid2sn(type));
	}
}

/* add_signature - " server-signature TYPE server-digest NAME", or nothing when there was none. */
static struct slice add_signature(SSL *ssl, const char *whose, bool own, struct arena *arena)
{
	X509 *cert = own ? SSL_get_certificate(ssl) : SSL_get0_peer_certificate(ssl);
	int type = NID_undef, digest = NID_undef;
	struct slice text;

	if (cert == NULL ||
	    (own ? SSL_get_signature_type_nid(ssl, &type)
		 : SSL_get_peer_signature_type_nid(ssl, &type)) != 1 || type == NID_undef)
		return SL("");
	text = signature_text(type, X509_get0_pubkey(cert), arena);
	if ((own ? SSL_get_signature_nid(ssl, &digest) : SSL_get_peer_signature_nid(ssl, &digest)) != 1 ||
	    digest == NID_undef)
		return arena_printf(arena, " %s-signature %.*s", whose, SL_ARG(text));
	return arena_printf(arena, " %s-signature %.*s %s-digest %s", whose, SL_ARG(text), whose,
			    OBJ_nid2sn(digest));
}

/* details - of TLSv1.3, whose cipher names do not say how keys were agreed and signed. */
static struct slice details(SSL *ssl, bool server, struct arena *arena)
{
	struct slice exchange = SL(""), by_server, by_client;
	EVP_PKEY *key = NULL;

	if (SSL_version(ssl) < TLS1_3_VERSION)
		return SL("");
	if (SSL_get_peer_tmp_key(ssl, &key) == 1 && key != NULL) {
		struct slice text = key_text(key, arena);

		exchange = arena_printf(arena, " key-exchange %.*s", SL_ARG(text));
		EVP_PKEY_free(key);
	}
	/* a resumed session was signed by nobody */
	if (SSL_session_reused(ssl))
		return exchange;
	by_server = add_signature(ssl, "server", server, arena);
	by_client = add_signature(ssl, "client", !server, arena);
	return arena_printf(arena, "%.*s%.*s%.*s", SL_ARG(exchange), SL_ARG(by_server),
			    SL_ARG(by_client));
}

/*
 * common_name - the last CN of a name, in UTF-8; "" when there is none or it holds what has no
 * place in a log line or header.
 */
static struct slice common_name(X509_NAME *name, struct arena *arena)
{
	unsigned char *utf8 = NULL;
	struct slice text;
	int at = -1, next, n;

	while (name != NULL && (next = X509_NAME_get_index_by_NID(name, NID_commonName, at)) >= 0)
		at = next;
	if (at < 0)
		return SL("");
	n = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
	if (n < 0)
		return SL("");
	text = arena_dup(arena, slice(utf8, (size_t)n));
	OPENSSL_free(utf8);
	for (size_t i = 0; i < text.n; i++)
		if ((unsigned char)text.p[i] < ' ' || text.p[i] == 127)
			return SL("");
	return text;
}

static struct slice hex(const unsigned char *bytes, size_t n, struct arena *arena)
{
	static const char digits[] = "0123456789ABCDEF";
	char *p = arena_alloc(arena, n * 3);

	for (size_t i = 0; i < n; i++) {
		p[3 * i] = digits[bytes[i] >> 4];
		p[3 * i + 1] = digits[bytes[i] & 15];
		p[3 * i + 2] = ':';
	}
	return slice(p, n > 0 ? n * 3 - 1 : 0);
}

static struct slice key_fingerprint(X509 *cert, struct arena *arena)
{
	unsigned char digest[EVP_MAX_MD_SIZE], *der = NULL;
	unsigned n = 0;
	int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &der);

	if (len < 0 || EVP_Digest(der, (size_t)len, digest, &n, EVP_sha256(), NULL) != 1)
		n = 0;
	OPENSSL_free(der);
	return hex(digest, n, arena);
}

/* fingerprint_matches - of the certificate or of its key. */
static bool fingerprint_matches(X509 *cert, const struct tls_want *want, struct tls_facts *facts,
				struct arena *arena)
{
	struct slice key = key_fingerprint(cert, arena);

	for (size_t i = 0; i < want->fingerprint_count; i++)
		if (slice_caseeq(want->fingerprints[i], facts->peer_fingerprint) ||
		    slice_caseeq(want->fingerprints[i], key))
			return true;
	return false;
}

static bool name_matches(X509 *cert, const struct tls_want *want)
{
	for (size_t i = 0; i < want->name_count; i++)
		if (X509_check_host(cert, want->names[i].p, want->names[i].n,
				    X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, NULL) == 1)
			return true;
	return false;
}

static void facts_of_peer(SSL *ssl, X509 *cert, const struct tls_want *want, struct arena *arena,
			  struct tls_facts *facts)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	long verdict = SSL_get_verify_result(ssl);
	unsigned n = 0;

	facts->peer_certificate = true;
	facts->trusted = verdict == X509_V_OK;
	if (!facts->trusted)
		facts->verify_problem = slice_str(X509_verify_cert_error_string(verdict));
	facts->peer_subject = common_name(X509_get_subject_name(cert), arena);
	facts->peer_issuer = common_name(X509_get_issuer_name(cert), arena);
	if (X509_digest(cert, EVP_sha256(), digest, &n) == 1)
		facts->peer_fingerprint = hex(digest, n, arena);
	if (want->level == TLS_LEVEL_FINGERPRINT)
		facts->verified = fingerprint_matches(cert, want, facts, arena);
	else if (want->level >= TLS_LEVEL_VERIFY)
		facts->verified = facts->trusted && name_matches(cert, want);
}

void facts_collect(SSL *ssl, bool server, const struct tls_want *want, struct arena *arena,
		   struct tls_facts *facts)
{
	const SSL_CIPHER *cipher = SSL_get_current_cipher(ssl);
	X509 *cert = SSL_get0_peer_certificate(ssl);

	*facts = (struct tls_facts){.protocol = SSL_get_version(ssl),
				    .cipher = slice_str(SSL_CIPHER_get_name(cipher)),
				    .resumed = SSL_session_reused(ssl) == 1,
				    .peer_subject = SL(""),
				    .peer_issuer = SL(""),
				    .peer_fingerprint = SL(""),
				    .verify_problem = SL("")};
	facts->cipher_bits = SSL_CIPHER_get_bits(cipher, &facts->cipher_all_bits);
	facts->details = details(ssl, server, arena);
	if (cert != NULL)
		facts_of_peer(ssl, cert, want, arena, facts);
	ERR_clear_error();
}

const char *tls_trust(const struct tls_facts *facts)
{
	if (!facts->peer_certificate)
		return "Anonymous";
	if (facts->verified)
		return "Verified";
	return facts->trusted ? "Trusted" : "Untrusted";
}

struct slice tls_summary(const struct tls_facts *facts, struct arena *arena)
{
	return arena_printf(arena, "%s with cipher %.*s (%d/%d bits)%.*s", facts->protocol,
			    SL_ARG(facts->cipher), facts->cipher_bits, facts->cipher_all_bits,
			    SL_ARG(facts->details));
}
