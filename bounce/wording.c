/* SPDX-License-Identifier: ISC */
#include "bounce/wording.h"

#include "ipc/bounce.h"

const struct wording wordings[WORDING_COUNT] = {
    [BOUNCE_KIND_FAILURE] =
	{"failure", "Undelivered Mail Returned to Sender", REPORT_FAILED,
	 "Your message could not be delivered to the recipients named below, and it\n"
	 "will not be tried again. It is attached.\n"
	 "\n"
	 "If you need help, write to postmaster and include this report.\n",
	 "Undelivered Message"},
    [BOUNCE_KIND_DELAY] =
	{"delay", "Delayed Mail (still being retried)", REPORT_DELAYED,
	 "Your message has not reached the recipients named below yet. Nothing needs\n"
	 "to be done: it is kept, and delivery is tried again.\n",
	 "Undelivered Message"},
    [BOUNCE_KIND_SUCCESS] =
	{"success", "Successful Mail Delivery Report", REPORT_DELIVERED,
	 "Your message was delivered to the recipients named below. Where it was\n"
	 "handed to a system that does not report deliveries, no more will be heard.\n",
	 "Message"},
    [BOUNCE_KIND_VERIFY] = {"verify", "Mail Delivery Status Report", REPORT_DELIVERED,
			    "This is the delivery report that you asked for.\n", "Message"},
};
