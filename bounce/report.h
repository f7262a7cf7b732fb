/* SPDX-License-Identifier: ISC */
/* report - answer one request of qmgr: decide who is told, compose, and queue it durably. */
#ifndef BOUNCE_REPORT_H
#define BOUNCE_REPORT_H

#include "config/settings.h"
#include "ipc/bounce.h"

struct bounce_state {
	const struct settings *settings;
	struct ipc_client *cleanup;
	struct slice double_bounce; /* $double_bounce_sender@$myorigin */
	bool tell_bounce;	    /* notify_classes */
	bool tell_2bounce;
	bool tell_delay;
};

/*
 * report_make - *result says: ok with the id of the notice (empty when nobody is to be told), or
 * temp when it could not be queued: qmgr asks again later. Texts are in the arena.
 */
void report_make(const struct bounce_state *state, const struct bounce_report *report,
		 struct arena *arena, struct bounce_report_result *result);

#endif
