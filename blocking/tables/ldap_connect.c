/* SPDX-License-Identifier: ISC */
/* Reaching a directory server: TCP, TLS, who we are. All of it within the table's timeout. */
#include "blocking/tables/ldap.h"

#include "blocking/common/wait.h"

#include "base/check.h"
#include "config.h"
#include "os/clock.h"

#include <stdlib.h>
#ifdef HAVE_SASL_SASL_H
#include <sasl/sasl.h>
#endif

static struct timeval until(int64_t deadline)
{
	int64_t left = deadline - os_now();

	if (left < 1)
		left = 1;
	return (struct timeval){left / OS_SECOND, left % OS_SECOND};
}

LDAPMessage *ldap_await(LDAP *ld, int message, int64_t deadline, int *code)
{
	struct timeval left = until(deadline);
	LDAPMessage *result = NULL;
	int type = ldap_result(ld, message, LDAP_MSG_ALL, &left, &result);

	if (type > 0)
		return result;
	ldap_msgfree(result);
	if (type == 0) {
		ldap_abandon_ext(ld, message, NULL, NULL);
		*code = LDAP_TIMEOUT;
		return NULL;
	}
	if (ldap_get_option(ld, LDAP_OPT_RESULT_CODE, code) != LDAP_OPT_SUCCESS ||
	    *code == LDAP_SUCCESS)
		*code = LDAP_SERVER_DOWN;
	return NULL;
}

struct slice ldap_reason(LDAP *ld, int code, const char *said, struct arena *arena)
{
	char *more = NULL;
	struct slice reason;

	if (code == LDAP_TIMEOUT)
		return SL("no answer in time");
	if (said == NULL && ld != NULL)
		ldap_get_option(ld, LDAP_OPT_DIAGNOSTIC_MESSAGE, &more);
	if (said == NULL)
		said = more;
	reason = said != NULL && said[0] != '\0'
		     ? arena_printf(arena, "%s: %s", ldap_err2string(code), said)
		     : slice_str(ldap_err2string(code));
	reason = reason_line(arena, arena_dup(arena, reason).p);
	ldap_memfree(more);
	return reason;
}

/* answered - the code of the answer to one message; *said, where the server says more, in the
 * arena. */
static int answered(LDAP *ld, int message, int64_t deadline, struct arena *arena, const char **said)
{
	char *text = NULL;
	int code = LDAP_OTHER, parsed;
	LDAPMessage *result = ldap_await(ld, message, deadline, &code);

	if (result == NULL)
		return code;
	parsed = ldap_parse_result(ld, result, &code, NULL, &text, NULL, NULL, 1);
	if (text != NULL)
		*said = arena_dup(arena, slice_str(text)).p;
	ldap_memfree(text);
	return parsed == LDAP_SUCCESS ? code : parsed;
}

/* set_tls - in a context of this connection alone. False: the library takes one of them not. */
static bool set_tls(LDAP *ld, const struct ldap_table *ldap)
{
	int require = ldap->tls_require ? LDAP_OPT_X_TLS_DEMAND : LDAP_OPT_X_TLS_NEVER, client = 0;
	const struct {
		int option;
		const char *value;
	} texts[] = {
	    {LDAP_OPT_X_TLS_CACERTFILE, ldap->tls_ca_file},
	    {LDAP_OPT_X_TLS_CACERTDIR, ldap->tls_ca_folder},
	    {LDAP_OPT_X_TLS_CERTFILE, ldap->tls_cert},
	    {LDAP_OPT_X_TLS_KEYFILE, ldap->tls_key},
	    {LDAP_OPT_X_TLS_CIPHER_SUITE, ldap->tls_ciphers},
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (texts[i].value != NULL &&
		    ldap_set_option(ld, texts[i].option, texts[i].value) != LDAP_OPT_SUCCESS)
			return false;
	return ldap_set_option(ld, LDAP_OPT_X_TLS_REQUIRE_CERT, &require) == LDAP_OPT_SUCCESS &&
	       ldap_set_option(ld, LDAP_OPT_X_TLS_NEWCTX, &client) == LDAP_OPT_SUCCESS;
}

/* set_options - NULL, or what the library did not take. */
static const char *set_options(LDAP *ld, const struct ldap_table *ldap, struct slice host,
			       int64_t deadline)
{
	struct timeval left = until(deadline);

	if (ldap_set_option(ld, LDAP_OPT_PROTOCOL_VERSION, &ldap->version) != LDAP_OPT_SUCCESS)
		return "version";
	if (ldap_set_option(ld, LDAP_OPT_DEREF, &ldap->dereference) != LDAP_OPT_SUCCESS)
		return "dereference";
	if (ldap_set_option(ld, LDAP_OPT_REFERRALS,
			    ldap->chase_referrals ? LDAP_OPT_ON : LDAP_OPT_OFF) != LDAP_OPT_SUCCESS)
		return "chase_referrals";
	if (ldap_set_option(ld, LDAP_OPT_NETWORK_TIMEOUT, &left) != LDAP_OPT_SUCCESS ||
	    ldap_set_option(ld, LDAP_OPT_TIMEOUT, &left) != LDAP_OPT_SUCCESS)
		return "timeout";
	if ((ldap->start_tls || slice_casestarts(host, SL("ldaps:"))) && !set_tls(ld, ldap))
		return "one of the tls_ parameters";
	return NULL;
}

static int start_tls(LDAP *ld, int64_t deadline, struct arena *arena, const char **said)
{
	int message, code = ldap_start_tls(ld, NULL, NULL, &message);

	if (code == LDAP_SUCCESS)
		code = answered(ld, message, deadline, arena, said);
	return code == LDAP_SUCCESS ? ldap_install_tls(ld) : code;
}

/* bind_as - one message and its answer: a password, or a mechanism that needs no more. */
static int bind_as(LDAP *ld, const struct ldap_table *ldap, const char *mechanism,
		   const char *secret, int64_t deadline, struct arena *arena, const char **said)
{
	struct slice bytes = slice_str(secret);
	struct berval credentials = {bytes.n, arena_str(arena, bytes)};
	int message,
	    code = ldap_sasl_bind(ld, ldap->bind_dn, mechanism, &credentials, NULL, NULL, &message);

	return code == LDAP_SUCCESS ? answered(ld, message, deadline, arena, said) : code;
}

#ifdef HAVE_SASL_SASL_H
/* interact - what a mechanism asks for: the table knows it, or the default is taken. */
static int interact(LDAP *ld, unsigned flags, void *defaults, void *questions)
{
	const struct ldap_table *ldap = defaults;

	(void)ld;
	(void)flags;
	for (sasl_interact_t *ask = questions; ask->id != SASL_CB_LIST_END; ask++) {
		const char *text = NULL;

		if (ask->id == SASL_CB_AUTHNAME)
			text = ldap->bind_dn;
		else if (ask->id == SASL_CB_PASS)
			text = ldap->bind_password;
		else if (ask->id == SASL_CB_USER)
			text = ldap->sasl_authzid;
		else if (ask->id == SASL_CB_GETREALM)
			text = ldap->sasl_realm;
		if (text == NULL)
			text = ask->defresult != NULL ? ask->defresult : "";
		ask->result = text;
		ask->len = (unsigned)strlen(text);
	}
	return LDAP_SUCCESS;
}

static int bind_interactive(LDAP *ld, const struct ldap_table *ldap)
{
	if (ldap->sasl_minssf > 0) {
		ber_len_t least = (ber_len_t)ldap->sasl_minssf;

		if (ldap_set_option(ld, LDAP_OPT_X_SASL_SSF_MIN, &least) != LDAP_OPT_SUCCESS)
			return LDAP_PARAM_ERROR;
	}
	return ldap_sasl_interactive_bind_s(ld, NULL, ldap->sasl_mechanisms, NULL, NULL,
					    LDAP_SASL_QUIET, interact, (void *)ldap);
}
#else
static int bind_interactive(LDAP *ld, const struct ldap_table *ldap)
{
	(void)ld;
	(void)ldap;
	return LDAP_AUTH_METHOD_NOT_SUPPORTED;
}
#endif

static int bind_to(LDAP *ld, const struct ldap_table *ldap, int64_t deadline, struct arena *arena,
		   const char **said)
{
	const char *mechanisms = ldap->sasl_mechanisms;

	if (ldap->bind == LDAP_BIND_NONE)
		return LDAP_SUCCESS;
	if (ldap->bind == LDAP_BIND_SIMPLE)
		return bind_as(ld, ldap, LDAP_SASL_SIMPLE, ldap->bind_password, deadline, arena,
			       said);
	if (mechanisms != NULL && slice_caseeq(slice_str(mechanisms), SL("EXTERNAL")))
		return bind_as(ld, ldap, "EXTERNAL",
			       ldap->sasl_authzid != NULL ? ldap->sasl_authzid : "", deadline,
			       arena, said);
	return bind_interactive(ld, ldap);
}

/* reach - LDAP_SUCCESS, or what went wrong; *step says at what. */
static int reach(LDAP *ld, const struct ldap_table *ldap, int64_t deadline, struct arena *arena,
		 const char **step, const char **said)
{
	int code = ldap_connect(ld);

	*step = "connect";
	if (code == LDAP_SUCCESS && ldap->start_tls) {
		*step = "start_tls";
		code = start_tls(ld, deadline, arena, said);
	}
	if (code == LDAP_SUCCESS) {
		*step = "bind";
		code = bind_to(ld, ldap, deadline, arena, said);
	}
	/* whatever libldap makes of the end of its patience */
	return code != LDAP_SUCCESS && os_now() >= deadline ? LDAP_TIMEOUT : code;
}

enum module_result ldap_open_connection(const struct module_table *table, struct slice host,
					int64_t deadline, struct arena *arena, void **connection,
					struct slice *why)
{
	const struct ldap_table *ldap = table->state;
	int64_t soon = os_deadline(ldap->timeout);
	struct ldap_connection *made = calloc(1, sizeof(*made));
	const char *step = "connect", *said = NULL, *refused = NULL;
	int code;

	if (made == NULL)
		out_of_memory();
	if (deadline > soon)
		deadline = soon;
	made->host = host;
	made->deadline = deadline;
	code = ldap_initialize(&made->ld, arena_str(arena, host));
	if (code == LDAP_SUCCESS && !ldap_bound(made))
		code = LDAP_LOCAL_ERROR;
	if (code == LDAP_SUCCESS) {
		refused = set_options(made->ld, ldap, host, deadline);
		code = refused != NULL ? LDAP_PARAM_ERROR
				       : reach(made->ld, ldap, deadline, arena, &step, &said);
	}
	if (code == LDAP_SUCCESS) {
		*connection = made;
		return MODULE_FOUND;
	}
	*why = arena_printf(
	    arena, "%s to %.*s: %.*s", step, SL_ARG(host),
	    SL_ARG(ldap_reason(made->ld, code, refused != NULL ? refused : said, arena)));
	ldap_close_connection(table, made);
	return MODULE_LOST;
}

void ldap_close_connection(const struct module_table *table, void *connection)
{
	struct ldap_connection *made = connection;

	(void)table;
	made->deadline = os_deadline(OS_SECOND);
	if (made->ld != NULL)
		ldap_unbind_ext(made->ld, NULL, NULL);
	free(made);
}
