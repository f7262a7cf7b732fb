/* SPDX-License-Identifier: ISC */
#include "smtp/conf.h"
#include "smtp/ehlo.h"

/* PICK - the same parameter under the name of the present mode. */
#define PICK(member) (lmtp ? s->lmtp_##member : s->smtp_##member)

static void load_timeouts(const struct settings *s, bool lmtp, struct client_conf *c)
{
	c->connect_timeout = PICK(connect_timeout);
	c->helo_timeout = lmtp ? s->lmtp_lhlo_timeout : s->smtp_helo_timeout;
	c->starttls_timeout = PICK(starttls_timeout);
	c->mail_timeout = PICK(mail_timeout);
	c->rcpt_timeout = PICK(rcpt_timeout);
	c->data_init_timeout = PICK(data_init_timeout);
	c->data_xfer_timeout = PICK(data_xfer_timeout);
	c->data_done_timeout = PICK(data_done_timeout);
	c->rset_timeout = PICK(rset_timeout);
	c->quit_timeout = PICK(quit_timeout);
	c->cache_time = PICK(connection_cache_time_limit);
	c->reuse_time = PICK(connection_reuse_time_limit);
}

static void load_destination(const struct settings *s, bool lmtp, struct client_conf *c)
{
	struct slice support = PICK(dns_support_level);

	c->helo_name = lmtp ? s->lmtp_lhlo_name : s->smtp_helo_name;
	c->port = PICK(tcp_port);
	c->fallback_relay = PICK(fallback_relay);
	c->bind_address = PICK(bind_address);
	c->bind_address6 = PICK(bind_address6);
	c->bind_enforce = PICK(bind_address_enforce);
	c->balance_families = PICK(balance_inet_protocols);
	c->randomize = PICK(randomize_addresses);
	c->use_dns = support.n > 0 ? !slice_eq(support, SL("disabled")) : !s->disable_dns_lookups;
	c->defer_if_no_address = PICK(defer_if_no_mx_address_found);
	c->address_limit = PICK(mx_address_limit);
	c->session_limit = PICK(mx_session_limit);
	dns_families_parse(s->inet_protocols, PICK(address_preference), PICK(host_lookup),
			   &c->families);
	if (!c->use_dns)
		c->families.native = true;
}

static void load_session(const struct settings *s, bool lmtp, struct client_conf *c)
{
	int limit = PICK(line_length_limit);

	c->always_ehlo = lmtp || s->smtp_always_send_ehlo;
	c->never_ehlo = !lmtp && s->smtp_never_send_ehlo;
	c->skip_5xx_greeting = PICK(skip_5xx_greeting);
	c->skip_quit_response = PICK(skip_quit_response);
	c->quote_envelope = PICK(quote_rfc821_envelope);
	c->convert_8bit = !s->disable_mime_output_conversion;
	c->line_limit = limit > 0 ? (size_t)limit : 0;
	c->reuse = PICK(connection_cache_on_demand) || PICK(connection_cache_destinations).n > 0;
	c->reuse_count = PICK(connection_reuse_count_limit);
}

/* tls_level_of - the level's parameter, or what its predecessors amount to. */
static bool tls_level_of(const struct settings *s, bool lmtp, enum tls_level *level)
{
	struct slice word = slice_trim(PICK(tls_security_level));

	if (word.n > 0)
		return tls_level_parse(word, level);
	if (PICK(enforce_tls))
		*level = PICK(tls_enforce_peername) ? TLS_LEVEL_VERIFY : TLS_LEVEL_ENCRYPT;
	else
		*level = PICK(use_tls) ? TLS_LEVEL_MAY : TLS_LEVEL_NONE;
	return true;
}

static bool load_tls(const struct settings *s, bool lmtp, struct client_conf *c)
{
	if (!tls_level_of(s, lmtp, &c->tls_level))
		return false;
	c->tls_wrapper = PICK(tls_wrappermode);
	c->tls_loglevel = PICK(tls_loglevel);
	c->tls_note_offer = PICK(tls_note_starttls_offer);
	c->tls_servername = PICK(tls_servername);
	c->tls_verify_names = PICK(tls_verify_cert_match);
	c->tls_secure_names = PICK(tls_secure_cert_match);
	c->policy_maps = PICK(tls_policy_maps);
	c->tls_fingerprints = PICK(tls_fingerprint_cert_match);
	return true;
}

enum result client_conf_load(const struct settings *s, bool lmtp, struct arena *arena,
			     struct client_conf *c, struct slice *problem)
{
	struct slice bad = SL_NULL;
	struct slice discard = lmtp ? s->lmtp_discard_lhlo_keywords : s->smtp_discard_ehlo_keywords;
	const char *prefix = lmtp ? "lmtp" : "smtp";

	*c = (struct client_conf){.settings = s, .lmtp = lmtp};
	load_timeouts(s, lmtp, c);
	load_destination(s, lmtp, c);
	load_session(s, lmtp, c);
	if (!load_tls(s, lmtp, c)) {
		*problem = arena_printf(arena, "%s_tls_security_level: bad level", prefix);
		return RES_PERM;
	}
	if (c->tls_wrapper && c->tls_level < TLS_LEVEL_ENCRYPT) {
		*problem = arena_printf(
		    arena, "%s_tls_wrappermode requires \"%s_tls_security_level = encrypt\" (or stronger)",
		    prefix, prefix);
		return RES_PERM;
	}
	if (!ehlo_discard_parse(discard, &c->discard, &bad)) {
		*problem = arena_printf(arena, "%s_discard_%s_keywords: unknown keyword \"%.*s\"", prefix,
					lmtp ? "lhlo" : "ehlo", SL_ARG(bad));
		return RES_PERM;
	}
	return RES_OK;
}

void client_conf_tls(const struct settings *s, bool lmtp, struct tls_options *o)
{
	*o = (struct tls_options){
	    .cert_file = PICK(tls_cert_file),
	    .key_file = PICK(tls_key_file),
	    .eccert_file = PICK(tls_eccert_file),
	    .eckey_file = PICK(tls_eckey_file),
	    .chain_files = PICK(tls_chain_files),
	    .ca_file = PICK(tls_CAfile),
	    .ca_path = PICK(tls_CApath),
	    .opportunistic = {PICK(tls_protocols), PICK(tls_ciphers), PICK(tls_exclude_ciphers)},
	    .mandatory = {PICK(tls_mandatory_protocols), PICK(tls_mandatory_ciphers),
			  PICK(tls_mandatory_exclude_ciphers)},
	    .high_cipherlist = s->tls_high_cipherlist,
	    .medium_cipherlist = s->tls_medium_cipherlist,
	    .verify_depth = PICK(tls_scert_verifydepth),
	};
}
