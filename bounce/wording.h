/* SPDX-License-Identifier: ISC */
/* wording - what delivery status notifications say, by kind; `postconf -t` shows it as templates.
 */
#ifndef BOUNCE_WORDING_H
#define BOUNCE_WORDING_H

#include "message/report.h"

struct wording {
	const char *name; /* of the template: NAME_template */
	const char *subject;
	enum report_action action;
	const char *text; /* lines end in LF */
	const char *part; /* Content-Description of the returned message */
};

/* By enum bounce_kind. */
#define WORDING_COUNT 4
extern const struct wording wordings[WORDING_COUNT];

#endif
