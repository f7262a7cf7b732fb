/* SPDX-License-Identifier: ISC */
#include "message/header_name.h"

#define SENDER HEADER_IS_SENDER
#define RECIPIENT HEADER_IS_RECIPIENT
#define TAKEN (HEADER_IS_RECIPIENT | HEADER_IS_EXTRACTED)
#define RESENT HEADER_IS_RESENT
#define DROPPED HEADER_IS_DROPPED
#define MIME HEADER_IS_MIME
#define ONCE HEADER_IS_ONCE

/* In the order of enum header_id. */
static const struct header_info table[HEADER_COUNT] = {
    {HEADER_OTHER, "", 0},
    {HEADER_APPARENTLY_TO, "Apparently-To", RECIPIENT},
    {HEADER_BCC, "Bcc", TAKEN | DROPPED | ONCE},
    {HEADER_CC, "Cc", TAKEN | ONCE},
    {HEADER_CONTENT_DESCRIPTION, "Content-Description", MIME},
    {HEADER_CONTENT_DISPOSITION, "Content-Disposition", MIME},
    {HEADER_CONTENT_ID, "Content-ID", MIME},
    {HEADER_CONTENT_LENGTH, "Content-Length", DROPPED},
    {HEADER_CONTENT_TRANSFER_ENCODING, "Content-Transfer-Encoding", MIME},
    {HEADER_CONTENT_TYPE, "Content-Type", MIME},
    {HEADER_DATE, "Date", ONCE},
    {HEADER_DELIVERED_TO, "Delivered-To", 0},
    {HEADER_DISPOSITION_NOTIFICATION_TO, "Disposition-Notification-To", SENDER},
    {HEADER_ERRORS_TO, "Errors-To", SENDER},
    {HEADER_FROM, "From", SENDER | ONCE},
    {HEADER_MAIL_FOLLOWUP_TO, "Mail-Followup-To", SENDER},
    {HEADER_MESSAGE_ID, "Message-Id", ONCE},
    {HEADER_MIME_VERSION, "MIME-Version", MIME},
    {HEADER_RECEIVED, "Received", 0},
    {HEADER_REPLY_TO, "Reply-To", SENDER | ONCE},
    {HEADER_RESENT_BCC, "Resent-Bcc", TAKEN | RESENT | DROPPED},
    {HEADER_RESENT_CC, "Resent-Cc", TAKEN | RESENT},
    {HEADER_RESENT_DATE, "Resent-Date", RESENT},
    {HEADER_RESENT_FROM, "Resent-From", SENDER | RESENT},
    {HEADER_RESENT_MESSAGE_ID, "Resent-Message-Id", RESENT},
    {HEADER_RESENT_REPLY_TO, "Resent-Reply-To", RECIPIENT | RESENT},
    {HEADER_RESENT_SENDER, "Resent-Sender", SENDER | RESENT},
    {HEADER_RESENT_TO, "Resent-To", TAKEN | RESENT},
    {HEADER_RETURN_PATH, "Return-Path", SENDER | DROPPED},
    {HEADER_RETURN_RECEIPT_TO, "Return-Receipt-To", SENDER},
    {HEADER_SENDER, "Sender", SENDER | ONCE},
    {HEADER_SUBJECT, "Subject", ONCE},
    {HEADER_TO, "To", TAKEN | ONCE},
};

const struct header_info *header_lookup(struct slice name)
{
	for (size_t i = 1; i < HEADER_COUNT; i++)
		if (slice_caseeq(name, slice_str(table[i].name)))
			return &table[i];
	return &table[HEADER_OTHER];
}

const struct header_info *header_info(enum header_id id)
{
	return &table[id < HEADER_COUNT ? id : HEADER_OTHER];
}
