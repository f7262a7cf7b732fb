/* SPDX-License-Identifier: ISC */
#include "smtpd/smtpd.h"

static enum result smtpd_open(struct daemon_context *context)
{
	struct smtpd *p = ARENA_NEW(context->arena, struct smtpd);

	p->context = context;
	context->state = p;
	return process_open(p, context->settings, context->arena) ? RES_OK : RES_PERM;
}

static void smtpd_start(struct daemon_context *context)
{
	struct slice tlsmgr =
	    arena_printf(context->arena, "private/%.*s", SL_ARG(context->settings->tlsmgr_service_name));

	process_connect(context->state, "public/cleanup", "private/resolver", tlsmgr.p);
}

static void smtpd_status(struct daemon_context *context, struct buffer *out)
{
	const struct smtpd *p = context->state;

	buffer_printf(out, "clients: %zu\n", map_count(p->clients));
}

static const struct daemon smtpd_daemon = {
    .name = "smtpd",
    .open = smtpd_open,
    .start = smtpd_start,
    .session = smtpd_session,
    .status = smtpd_status,
    .exit_when_idle = true,
};

int main(int argc, char **argv)
{
	return daemon_main(argc, argv, &smtpd_daemon);
}
