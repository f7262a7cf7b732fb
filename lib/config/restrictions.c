/* SPDX-License-Identifier: ISC */
/* restrictions - words of smtpd_*_restrictions and of restriction classes that are no restriction.
 */
#include "config/usage.h"

#include "config/parameter.h"
#include "config/settings.h"

/*
 * By what follows them: nothing, one argument, or an argument that may be left out. Names that
 * Postfix has given up count as well.
 */
static const char plain[] =
    "permit reject defer defer_if_permit defer_if_reject warn_if_reject permit_mynetworks "
    "permit_inet_interfaces permit_auth_destination permit_sasl_authenticated "
    "permit_tls_clientcerts "
    "permit_tls_all_clientcerts permit_mx_backup reject_unauth_destination "
    "defer_unauth_destination "
    "reject_unlisted_recipient reject_unlisted_sender reject_unauth_pipelining "
    "reject_plaintext_session "
    "reject_multi_recipient_bounce reject_invalid_helo_hostname reject_invalid_hostname "
    "reject_non_fqdn_helo_hostname reject_non_fqdn_hostname reject_non_fqdn_sender "
    "reject_non_fqdn_recipient reject_unknown_client_hostname reject_unknown_client "
    "reject_unknown_reverse_client_hostname reject_unknown_forward_client_hostname "
    "reject_unknown_helo_hostname reject_unknown_hostname reject_unknown_sender_domain "
    "reject_unknown_address reject_unknown_recipient_domain reject_sender_login_mismatch "
    "reject_authenticated_sender_login_mismatch reject_known_sender_login_mismatch "
    "reject_unauthenticated_sender_login_mismatch reject_unverified_recipient "
    "reject_unverified_sender "
    "check_recipient_maps reject_maps_rbl check_relay_domains permit_naked_ip_address";
static const char with_argument[] =
    "sleep check_address_map check_policy_service reject_rbl_client reject_rhsbl_client "
    "reject_rhsbl_helo reject_rhsbl_recipient reject_rhsbl_reverse_client reject_rhsbl_sender "
    "permit_dnswl_client permit_rhswl_client check_ccert_access check_sasl_access "
    "check_etrn_access "
    "check_client_access check_client_a_access check_client_mx_access check_client_ns_access "
    "check_helo_access check_helo_a_access check_helo_mx_access check_helo_ns_access "
    "check_recipient_access check_recipient_a_access check_recipient_mx_access "
    "check_recipient_ns_access check_sender_access check_sender_a_access check_sender_mx_access "
    "check_sender_ns_access check_reverse_client_hostname_access "
    "check_reverse_client_hostname_a_access check_reverse_client_hostname_mx_access "
    "check_reverse_client_hostname_ns_access";

static bool among(const char *names, struct slice word)
{
	struct slice rest = slice_str(names);
	struct slice one;

	while (slice_next(&rest, " ", &one))
		if (slice_caseeq(one, word))
			return true;
	return false;
}

static bool is_class(const struct config_values *values, struct arena *arena, struct slice word)
{
	struct slice list;

	return values_expand(values, SL("$smtpd_restriction_classes"), arena, &list) == NULL &&
	       settings_list_has(list, word);
}

/* check_list - one list of restrictions. */
static void check_list(const struct config_values *values, const struct given_value *given,
		       struct arena *arena, struct config_problems *problems)
{
	struct slice list, word;

	if (values_expand(values, given->value, arena, &list) != NULL)
		return; /* said where the value is read */
	while (settings_next_word(&list, &word)) {
		struct slice argument;

		if (among(with_argument, word)) {
			if (!settings_next_word(&list, &argument))
				config_problem_add(problems, false, given->file, given->line,
						   given->name, "%.*s needs an argument",
						   SL_ARG(word));
		} else if (!among(plain, word) && slice_find(word, ':') < 0 &&
			   slice_find(word, ' ') < 0 && !is_class(values, arena, word)) {
			config_problem_add(
			    problems, false, given->file, given->line, given->name,
			    "unknown restriction \"%.*s\" (allowed: those of postconf(5), names in "
			    "smtpd_restriction_classes, type:table)",
			    SL_ARG(word));
		}
	}
}

void usage_restrictions(const struct usage *u, struct config_problems *problems)
{
	for (size_t i = 0; i < u->values->count; i++) {
		const struct given_value *given = &u->values->given[i];
		const struct parameter *p = parameter_find(given->name);

		if ((p && p->type == PARAM_RESTRICTIONS) ||
		    (!p && is_class(u->values, u->arena, given->name)))
			check_list(u->values, given, u->arena, problems);
	}
}
