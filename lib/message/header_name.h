/* SPDX-License-Identifier: ISC */
/* header_name - what is known about header fields by their name. */
#ifndef MESSAGE_HEADER_NAME_H
#define MESSAGE_HEADER_NAME_H

#include "base/slice.h"

enum header_id {
	HEADER_OTHER,
	HEADER_APPARENTLY_TO,
	HEADER_BCC,
	HEADER_CC,
	HEADER_CONTENT_DESCRIPTION,
	HEADER_CONTENT_DISPOSITION,
	HEADER_CONTENT_ID,
	HEADER_CONTENT_LENGTH,
	HEADER_CONTENT_TRANSFER_ENCODING,
	HEADER_CONTENT_TYPE,
	HEADER_DATE,
	HEADER_DELIVERED_TO,
	HEADER_DISPOSITION_NOTIFICATION_TO,
	HEADER_ERRORS_TO,
	HEADER_FROM,
	HEADER_MAIL_FOLLOWUP_TO,
	HEADER_MESSAGE_ID,
	HEADER_MIME_VERSION,
	HEADER_RECEIVED,
	HEADER_REPLY_TO,
	HEADER_RESENT_BCC,
	HEADER_RESENT_CC,
	HEADER_RESENT_DATE,
	HEADER_RESENT_FROM,
	HEADER_RESENT_MESSAGE_ID,
	HEADER_RESENT_REPLY_TO,
	HEADER_RESENT_SENDER,
	HEADER_RESENT_TO,
	HEADER_RETURN_PATH,
	HEADER_RETURN_RECEIPT_TO,
	HEADER_SENDER,
	HEADER_SUBJECT,
	HEADER_TO,
	HEADER_COUNT
};

#define HEADER_IS_SENDER 1u    /* addresses, rewritten as senders */
#define HEADER_IS_RECIPIENT 2u /* addresses, rewritten as recipients */
#define HEADER_IS_EXTRACTED 4u /* recipients that `sendmail -t` takes */
#define HEADER_IS_RESENT 8u    /* Resent-*: when one is there, -t takes only the resent ones */
#define HEADER_IS_DROPPED 16u  /* in the default message_drop_headers */
#define HEADER_IS_MIME 32u     /* describes a MIME entity: mime_header_checks sees it */
#define HEADER_IS_ONCE 64u     /* RFC 5322 3.6: at most once in a message */
#define HEADER_IS_ADDRESS (HEADER_IS_SENDER | HEADER_IS_RECIPIENT)

struct header_info {
	enum header_id id;
	const char *name; /* canonical spelling */
	unsigned flags;
};

/* header_lookup - never NULL: unknown names give the entry HEADER_OTHER without flags. */
const struct header_info *header_lookup(struct slice name);
const struct header_info *header_info(enum header_id id);

#endif
