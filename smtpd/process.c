/* SPDX-License-Identifier: ISC */
/* process - what all sessions share: opened before the sandbox closes in. */
#include "log/events.h"
#include "route/own_address.h"
#include "table/remote.h"
#include "smtpd/smtpd.h"

/* Connections to cleanup that are kept between messages. */
#define CLEANUP_IDLE_MAX 100

static void table_warning(void *data, struct slice text)
{
	(void)data;
	LOG(warning, .text = text);
}

static struct match_list *hosts(struct smtpd *p, struct slice value, struct slice parameter)
{
	unsigned flags =
	    match_list_parent_flag(p->settings->parent_domain_matches_subdomains, parameter);

	return match_list_create(p->tables, value, flags);
}

static void open_lists(struct smtpd *p)
{
	const struct settings *c = p->settings;

	p->mynetworks = hosts(p, c->mynetworks, SL("mynetworks"));
	p->limit_exceptions = hosts(p, c->smtpd_client_event_limit_exceptions,
				    SL("smtpd_client_event_limit_exceptions"));
	p->bare_newline_exclusions = hosts(p, c->smtpd_forbid_bare_newline_exclusions,
					   SL("smtpd_forbid_bare_newline_exclusions"));
	p->forbidden_commands = match_list_create(p->tables, c->smtpd_forbidden_commands, 0);
	p->relay_clientcerts = table_list_create(p->tables, c->relay_clientcerts, TABLE_FOLD);
	p->ehlo_discard_maps =
	    table_list_create(p->tables, c->smtpd_discard_ehlo_keyword_address_maps, TABLE_FOLD);
}

static void read_options(struct smtpd *p)
{
	const struct settings *c = p->settings;
	struct slice bad;

	p->no_unknown_recipient_checks =
	    settings_list_has(c->receive_override_options, SL("no_unknown_recipient_checks"));
	p->no_address_mappings = settings_list_has(c->receive_override_options, SL("no_address_mappings"));
	p->no_header_body_checks =
	    settings_list_has(c->receive_override_options, SL("no_header_body_checks"));
	p->no_milters = settings_list_has(c->receive_override_options, SL("no_milters"));
	p->bare_lf_reject = slice_eq(c->smtpd_forbid_bare_newline, SL("reject"));
	if (!ehlo_discard_parse(c->smtpd_discard_ehlo_keywords, &p->ehlo_discard, &bad))
		LOG(ehlo_keyword_unknown, .where = SL("smtpd_discard_ehlo_keywords"),
		    .keyword = bad);
}

/* wanted_level - smtpd_tls_security_level, or what the older parameters say. */
static enum tls_level wanted_level(const struct settings *c)
{
	enum tls_level level;

	if (c->smtpd_tls_security_level.n > 0 &&
	    tls_level_parse(c->smtpd_tls_security_level, &level))
		return level;
	if (c->smtpd_enforce_tls)
		return TLS_LEVEL_ENCRYPT;
	return c->smtpd_use_tls ? TLS_LEVEL_MAY : TLS_LEVEL_NONE;
}

static struct tls_options tls_options_of(const struct settings *c)
{
	return (struct tls_options){
	    .cert_file = c->smtpd_tls_cert_file,
	    .key_file = c->smtpd_tls_key_file,
	    .eccert_file = c->smtpd_tls_eccert_file,
	    .eckey_file = c->smtpd_tls_eckey_file,
	    .chain_files = c->smtpd_tls_chain_files,
	    .ca_file = c->smtpd_tls_CAfile,
	    .ca_path = c->smtpd_tls_CApath,
	    .opportunistic = {c->smtpd_tls_protocols, c->smtpd_tls_ciphers,
			      c->smtpd_tls_exclude_ciphers},
	    .mandatory = {c->smtpd_tls_mandatory_protocols, c->smtpd_tls_mandatory_ciphers,
			  c->smtpd_tls_mandatory_exclude_ciphers},
	    .high_cipherlist = c->tls_high_cipherlist,
	    .medium_cipherlist = c->tls_medium_cipherlist,
	    .preempt_cipherlist = c->tls_preempt_cipherlist,
	    .ask_peer_certificate = c->smtpd_tls_ask_ccert || c->smtpd_tls_req_ccert,
	    .verify_depth = c->smtpd_tls_ccert_verifydepth,
	    .session_lifetime = c->smtpd_tls_session_cache_timeout,
	};
}

static void open_tls(struct smtpd *p, struct arena *arena)
{
	enum tls_level level = wanted_level(p->settings);
	struct slice problem = SL_NULL;

	p->tls_required = level >= TLS_LEVEL_ENCRYPT;
	p->tls_wanted = level >= TLS_LEVEL_MAY || p->settings->smtpd_tls_wrappermode;
	if (!p->tls_wanted)
		return;
	struct tls_options options = tls_options_of(p->settings);

	if (tls_server_context(&options, arena, &p->tls, &problem) != RES_OK) {
		p->tls = NULL;
		LOG(tls_unavailable, .reason = problem);
	}
}

struct unbuilt {
	const char *name;
	struct slice value;
	bool on; /* it asks for something */
};

/* heed_unbuilt - what would be lost in silence is named; false: mail would get past a filter. */
static bool heed_unbuilt(const struct settings *c)
{
	const struct unbuilt filters[] = {
	    {"smtpd_milters", c->smtpd_milters, c->smtpd_milters.n > 0},
	    {"smtpd_proxy_filter", c->smtpd_proxy_filter, c->smtpd_proxy_filter.n > 0},
	    {"smtpd_command_filter", c->smtpd_command_filter, c->smtpd_command_filter.n > 0},
	    {"smtpd_upstream_proxy_protocol", c->smtpd_upstream_proxy_protocol,
	     c->smtpd_upstream_proxy_protocol.n > 0},
	};
	const struct unbuilt others[] = {
	    {"smtpd_sasl_auth_enable", SL("yes"), c->smtpd_sasl_auth_enable},
	    {"smtpd_authorized_xclient_hosts", c->smtpd_authorized_xclient_hosts,
	     c->smtpd_authorized_xclient_hosts.n > 0},
	    {"smtpd_authorized_xforward_hosts", c->smtpd_authorized_xforward_hosts,
	     c->smtpd_authorized_xforward_hosts.n > 0},
	    {"smtpd_reject_footer", c->smtpd_reject_footer, c->smtpd_reject_footer.n > 0},
	    {"smtpd_reject_footer_maps", c->smtpd_reject_footer_maps,
	     c->smtpd_reject_footer_maps.n > 0},
	    {"smtpd_client_connection_rate_limit", SL("(a limit)"),
	     c->smtpd_client_connection_rate_limit > 0},
	    {"smtpd_client_message_rate_limit", SL("(a limit)"),
	     c->smtpd_client_message_rate_limit > 0},
	    {"smtpd_client_recipient_rate_limit", SL("(a limit)"),
	     c->smtpd_client_recipient_rate_limit > 0},
	    {"smtpd_client_new_tls_session_rate_limit", SL("(a limit)"),
	     c->smtpd_client_new_tls_session_rate_limit > 0},
	};
	bool acceptable = true;

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (others[i].on)
			LOG(parameter_unheeded, .parameter = slice_str(others[i].name),
			    .value = others[i].value);
	for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++)
		if (filters[i].on) {
			LOG(parameter_refused, .parameter = slice_str(filters[i].name),
			    .value = filters[i].value);
			acceptable = false;
		}
	return acceptable;
}

bool process_open(struct smtpd *p, const struct settings *settings, struct arena *arena)
{
	struct table_config tables = {.warn = table_warning,
				      .default_type = settings->default_database_type};

	p->settings = settings;
	p->remote = tables.remote = daemon_remote(settings);
	p->tables = table_set_create(&tables);
	p->route = route_create(settings, p->tables);
	p->clients = map_create();
	p->own = ARENA_NEW(arena, struct own_addresses);
	own_addresses_load(settings, arena, p->own);
	open_lists(p);
	read_options(p);
	open_tls(p, arena);
	p->policy = policy_parse(p, arena);
	table_set_seal(p->tables);
	p->tables_asked = os_now();
	return heed_unbuilt(settings) && p->policy != NULL;
}

void process_connect(struct smtpd *p, const char *cleanup, const char *resolver, const char *tlsmgr)
{
	p->cleanup = ipc_client_create(cleanup, CLEANUP_IDLE_MAX);
	p->dns = dns_client_create(resolver);
	if (p->tls != NULL && p->settings->smtpd_tls_session_cache_timeout > 0)
		p->tlsmgr = ipc_client_create(tlsmgr, 1);
}

void process_close(struct smtpd *p)
{
	if (p->cleanup != NULL)
		ipc_client_destroy(&p->cleanup);
	if (p->dns != NULL)
		dns_client_destroy(&p->dns);
	if (p->tlsmgr != NULL)
		ipc_client_destroy(&p->tlsmgr);
	if (p->tls != NULL)
		tls_context_destroy(&p->tls);
	if (p->policy != NULL)
		map_destroy(&p->policy->classes);
	map_destroy(&p->clients);
	route_destroy(&p->route);
	table_set_destroy(&p->tables);
	table_remote_destroy(&p->remote);
}

void process_check_tables(struct smtpd *p)
{
	int64_t now = os_now();

	if (p->stopping || now - p->tables_asked < OS_SECOND)
		return;
	p->tables_asked = now;
	if (!table_set_changed(p->tables) || p->context == NULL)
		return;
	p->stopping = true;
	LOG(tables_changed, .program = SL("smtpd"));
	daemon_stop(p->context);
}
