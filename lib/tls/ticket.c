/* SPDX-License-Identifier: ISC */
/* ticket - session tickets of a server, with keys that others have, too (RFC 5077 4). */
#include "tls/context.h"
#include "base/check.h"

#include <openssl/core_names.h>
#include <openssl/rand.h>

#include <string.h>

#define TICKET_FAILED (-1)
#define TICKET_UNKNOWN 0
#define TICKET_DONE 1
#define TICKET_RENEW 2

static char sha256[] = "SHA256";

static bool set_mac(EVP_MAC_CTX *mac, const struct ticket_key *key)
{
	OSSL_PARAM params[] = {
	    OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, (void *)(uintptr_t)key->mac,
					      sizeof(key->mac)),
	    OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, sha256, 0),
	    OSSL_PARAM_construct_end(),
	};

	return EVP_MAC_CTX_set_params(mac, params) == 1;
}

static int seal(const struct ticket_key *key, unsigned char *name, unsigned char *iv,
		EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
	if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) != 1 ||
	    EVP_EncryptInit_ex(cipher, EVP_aes_256_cbc(), NULL, key->cipher, iv) != 1 ||
	    !set_mac(mac, key))
		return TICKET_FAILED;
	memcpy(name, key->name, sizeof(key->name));
	return TICKET_DONE;
}

static int unseal(const struct ticket_key *key, bool renew, const unsigned char *iv,
		  EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
	if (EVP_DecryptInit_ex(cipher, EVP_aes_256_cbc(), NULL, key->cipher, iv) != 1 ||
	    !set_mac(mac, key))
		return TICKET_FAILED;
	return renew ? TICKET_RENEW : TICKET_DONE;
}

/* on_ticket - SSL_CTX_set_tlsext_ticket_key_evp_cb(3) */
static int on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
		     EVP_MAC_CTX *mac, int sealing)
{
	const struct tls_context *c = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));

	if (sealing)
		return seal(&c->ticket_current, name, iv, cipher, mac);
	/* a client of TLSv1.3 shows a ticket once (RFC 8446 C.4): it needs the next */
	if (memcmp(name, c->ticket_current.name, sizeof(c->ticket_current.name)) == 0)
		return unseal(&c->ticket_current, SSL_version(ssl) >= TLS1_3_VERSION, iv, cipher, mac);
	if (c->has_ticket_previous &&
	    memcmp(name, c->ticket_previous.name, sizeof(c->ticket_previous.name)) == 0)
		return unseal(&c->ticket_previous, true, iv, cipher, mac);
	return TICKET_UNKNOWN;
}

bool tls_set_ticket_keys(struct tls_context *c, struct slice current, struct slice previous)
{
	CHECK(c->server);
	if (current.n != sizeof(c->ticket_current) ||
	    (previous.n != 0 && previous.n != sizeof(c->ticket_previous)))
		return false;
	memcpy(&c->ticket_current, current.p, sizeof(c->ticket_current));
	c->has_ticket_previous = previous.n != 0;
	if (c->has_ticket_previous)
		memcpy(&c->ticket_previous, previous.p, sizeof(c->ticket_previous));
	return SSL_CTX_set_tlsext_ticket_key_evp_cb(c->ssl, on_ticket) == 1;
}
