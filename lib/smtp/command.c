/* SPDX-License-Identifier: ISC */
#include "smtp/command.h"

/* In the order of enum smtp_verb. */
static const char *const verb_names[SMTP_VERB_COUNT] = {
    "UNKNOWN", "AUTH", "BDAT", "DATA", "EHLO", "ETRN",	   "EXPN", "HELO",    "HELP",	  "LHLO",
    "MAIL",    "NOOP", "QUIT", "RCPT", "RSET", "STARTTLS", "VRFY", "XCLIENT", "XFORWARD",
};

const char *smtp_verb_name(enum smtp_verb verb)
{
	return verb_names[verb < SMTP_VERB_COUNT ? verb : SMTP_UNKNOWN];
}

void smtp_command_parse(struct slice line, struct smtp_command *out)
{
	struct slice rest = line;

	*out = (struct smtp_command){.verb = SMTP_UNKNOWN, .name = slice_sub(line, 0, 0)};
	if (!slice_next(&rest, " \t\r\n\v\f", &out->name))
		return;
	out->args = slice_trim(rest);
	for (unsigned v = SMTP_UNKNOWN + 1; v < SMTP_VERB_COUNT; v++)
		if (slice_caseeq(out->name, slice_str(verb_names[v])))
			out->verb = (enum smtp_verb)v;
}

static bool fail(struct smtp_reply *error, unsigned code, const char *status, struct slice text)
{
	*error = smtp_reply(code, status, text);
	return false;
}

struct param {
	struct slice whole;
	struct slice name;
	struct slice value; /* null slice without "=" */
};

static bool next_param(struct slice *rest, struct param *out)
{
	ssize_t equals;

	if (!slice_next(rest, " \t", &out->whole))
		return false;
	equals = slice_find(out->whole, '=');
	out->name = equals < 0 ? out->whole : slice_sub(out->whole, 0, (size_t)equals);
	out->value = equals < 0 ? SL_NULL : slice_from(out->whole, (size_t)equals + 1);
	return true;
}

static bool is_param(const struct param *p, const char *name)
{
	return slice_caseeq(p->name, slice_str(name));
}

static bool unsupported(struct arena *arena, const struct param *p, struct smtp_reply *error)
{
	return fail(error, 555, "5.5.4",
		    arena_printf(arena, "Unsupported option: %.*s", SL_ARG(p->whole)));
}

static bool dsn_disabled(unsigned takes, struct smtp_reply *error)
{
	if (takes & SMTP_TAKES_DSN)
		return false;
	fail(error, 501, "5.7.1", SL("DSN support is disabled"));
	return true;
}

static unsigned path_flags(unsigned takes)
{
	return (takes & SMTP_STRICT_PATHS ? PATH_STRICT : 0) |
	       (takes & SMTP_TAKES_SMTPUTF8 ? PATH_UTF8 : 0) |
	       (takes & SMTP_NUMERIC_DOMAINS ? PATH_NUMERIC : 0);
}

static bool must_declare_utf8(struct smtp_reply *error)
{
	return fail(error, 553, "5.6.7", SL("Must declare SMTPUTF8 to send unicode address"));
}

static bool mail_auth(struct slice value, struct arena *arena, struct smtp_mail *out,
		      struct smtp_reply *error)
{
	if (!slice_is_null(out->auth))
		return fail(error, 503, "5.5.4", SL("Error: multiple AUTH= options"));
	if (value.n == 0 || !xtext_decode(arena, value, &out->auth))
		return fail(error, 501, "5.5.4", SL("Error: malformed AUTH= value"));
	if (slice_eq(out->auth, SL("<>")))
		out->auth = SL("");
	return true;
}

static bool mail_dsn(const struct param *p, struct arena *arena, struct smtp_mail *out,
		     struct smtp_reply *error)
{
	if (is_param(p, "RET")) {
		if (out->ret != DSN_RET_NONE || !dsn_ret_parse(p->value, &out->ret))
			return fail(error, 501, "5.5.4", SL("Bad RET parameter syntax"));
		return true;
	}
	if (!slice_is_null(out->envid) || !envid_parse(arena, p->value, &out->envid))
		return fail(error, 501, "5.5.4", SL("Bad ENVID parameter syntax"));
	return true;
}

static bool mail_size(const struct param *p, struct smtp_mail *out, struct smtp_reply *error)
{
	size_t digits = 0;

	while (digits < p->value.n && ascii_isdigit(p->value.p[digits]))
		digits++;
	out->has_size = digits > 0 && digits == p->value.n;
	if (out->has_size && !slice_u64(p->value, &out->size))
		out->size = UINT64_MAX; /* more than can be said is more than any limit */
	if (!out->has_size)
		return fail(error, 501, "5.5.4", SL("Bad message size syntax"));
	return true;
}

static bool mail_body(const struct param *p, unsigned takes, struct smtp_mail *out)
{
	if (!(takes & SMTP_TAKES_8BITMIME))
		return false;
	if (slice_caseeq(p->value, SL("8BITMIME")))
		out->body = SMTP_BODY_8BITMIME;
	else if (slice_caseeq(p->value, SL("7BIT")))
		out->body = SMTP_BODY_7BIT;
	else
		return false;
	return true;
}

static bool mail_param(const struct param *p, unsigned takes, struct arena *arena,
		       struct smtp_mail *out, struct smtp_reply *error)
{
	if (is_param(p, "SIZE") && (takes & SMTP_TAKES_SIZE))
		return mail_size(p, out, error);
	if (is_param(p, "BODY") && mail_body(p, takes, out))
		return true;
	if (is_param(p, "SMTPUTF8") && (takes & SMTP_TAKES_SMTPUTF8) && slice_is_null(p->value))
		return out->smtputf8 = true;
	if (is_param(p, "RET") || is_param(p, "ENVID"))
		return !dsn_disabled(takes, error) && mail_dsn(p, arena, out, error);
	if (is_param(p, "AUTH") && (takes & SMTP_TAKES_AUTH))
		return mail_auth(p->value, arena, out, error);
	return unsupported(arena, p, error);
}

bool smtp_mail_parse(struct slice args, unsigned takes, struct arena *arena, struct smtp_mail *out,
		     struct smtp_reply *error)
{
	enum path_error problem = PATH_MISSING;
	struct slice rest = SL_NULL;
	struct param p;

	*out = (struct smtp_mail){0};
	if (slice_casestarts(args, SL("FROM:")))
		problem = path_parse(slice_from(args, strlen("FROM:")), path_flags(takes), arena,
				     &out->path, &rest);
	if (problem == PATH_MISSING)
		return fail(error, 501, "5.5.4", SL("Syntax: MAIL FROM:<address>"));
	if (problem == PATH_NEEDS_UTF8)
		return must_declare_utf8(error);
	if (problem != PATH_OK)
		return fail(error, 501, "5.1.7", SL("Bad sender address syntax"));
	while (next_param(&rest, &p))
		if (!mail_param(&p, takes, arena, out, error))
			return false;
	if (out->path.utf8 && !out->smtputf8 && (takes & SMTP_STRICT_UTF8))
		return must_declare_utf8(error);
	return true;
}

static bool rcpt_param(const struct param *p, unsigned takes, bool smtputf8, struct arena *arena,
		       struct smtp_rcpt *out, struct smtp_reply *error)
{
	if (!is_param(p, "NOTIFY") && !is_param(p, "ORCPT"))
		return unsupported(arena, p, error);
	if (dsn_disabled(takes, error))
		return false;
	if (is_param(p, "NOTIFY")) {
		if (out->notify != 0 || !dsn_notify_parse(p->value, &out->notify))
			return fail(error, 501, "5.5.4", SL("Error: Bad NOTIFY parameter syntax"));
		return true;
	}
	if (!slice_is_null(out->orcpt.type) || !orcpt_parse(arena, p->value, smtputf8, &out->orcpt))
		return fail(error, 501, "5.5.4", SL("Error: Bad ORCPT parameter syntax"));
	return true;
}

bool smtp_rcpt_parse(struct slice args, unsigned takes, bool smtputf8, struct arena *arena,
		     struct smtp_rcpt *out, struct smtp_reply *error)
{
	enum path_error problem = PATH_MISSING;
	struct slice rest = SL_NULL;
	struct param p;

	*out = (struct smtp_rcpt){0};
	if (slice_casestarts(args, SL("TO:")))
		problem = path_parse(slice_from(args, strlen("TO:")), path_flags(takes), arena,
				     &out->path, &rest);
	if (problem == PATH_MISSING)
		return fail(error, 501, "5.5.4", SL("Syntax: RCPT TO:<address>"));
	if (problem == PATH_NEEDS_UTF8)
		return must_declare_utf8(error);
	if (problem != PATH_OK || out->path.address.n == 0)
		return fail(error, 501, "5.1.3", SL("Bad recipient address syntax"));
	if (out->path.utf8 && !smtputf8 && (takes & SMTP_STRICT_UTF8))
		return must_declare_utf8(error);
	while (next_param(&rest, &p))
		if (!rcpt_param(&p, takes, smtputf8, arena, out, error))
			return false;
	return true;
}

bool smtp_bdat_parse(struct slice args, uint64_t *size, bool *last)
{
	struct slice word;

	*last = false;
	if (!slice_next(&args, " \t", &word) || !slice_u64(word, size))
		return false;
	if (!slice_next(&args, " \t", &word))
		return true;
	*last = true;
	return slice_caseeq(word, SL("LAST")) && !slice_next(&args, " \t", &word);
}
