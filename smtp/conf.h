/* SPDX-License-Identifier: ISC */
/*
 * conf - the settings of the SMTP client in one shape: smtp_x, or lmtp_x when it runs as lmtp.
 */
#ifndef SMTP_CLIENT_CONF_H
#define SMTP_CLIENT_CONF_H

#include "config/settings.h"
#include "dns/dns.h"
#include "tls/tls.h"

struct client_conf {
	const struct settings *settings;
	bool lmtp;
	struct slice helo_name;
	struct slice port;	    /* of destinations that name none */
	struct slice fallback_relay;
	struct slice bind_address;
	struct slice bind_address6;
	bool bind_enforce;
	struct dns_families families;
	bool balance_families;
	bool randomize;
	bool use_dns;
	bool defer_if_no_address;
	int address_limit;
	int session_limit;

	/* microseconds, all of them */
	int64_t connect_timeout;
	int64_t helo_timeout;
	int64_t starttls_timeout;
	int64_t mail_timeout;
	int64_t rcpt_timeout;
	int64_t data_init_timeout;
	int64_t data_xfer_timeout;
	int64_t data_done_timeout;
	int64_t rset_timeout;
	int64_t quit_timeout;

	bool always_ehlo;
	bool never_ehlo;
	bool skip_5xx_greeting;
	bool skip_quit_response;
	bool quote_envelope;
	bool convert_8bit; /* not disable_mime_output_conversion */
	unsigned discard;  /* EHLO_... keywords that are not seen */
	size_t line_limit;

	bool reuse;
	int64_t cache_time;
	int64_t reuse_time;
	int reuse_count;

	enum tls_level tls_level;
	bool tls_wrapper;
	int tls_loglevel;
	bool tls_note_offer;
	struct slice tls_servername;
	struct slice tls_verify_names; /* what a certificate must have at these levels */
	struct slice tls_secure_names;
	struct slice tls_fingerprints;
	struct slice policy_maps;
};

/*
 * client_conf_load - RES_PERM and *problem when a value cannot be what it should be. The settings must
 * outlive *conf.
 */
enum result client_conf_load(const struct settings *settings, bool lmtp, struct arena *arena,
			     struct client_conf *conf, struct slice *problem);
/* client_conf_tls - what lib/tls wants to know. */
void client_conf_tls(const struct settings *settings, bool lmtp, struct tls_options *options);

#endif
