/* SPDX-License-Identifier: ISC */
/* original - pass the message that a notice is about on to cleanup, whole or up to its body. */
#ifndef BOUNCE_ORIGINAL_H
#define BOUNCE_ORIGINAL_H

#include "base/result.h"
#include "daemon/intake.h"
#include "ipc/bounce.h"

/*
 * original_copy - CRLF line ends go out whatever comes in, the last line is ended. RES_TEMP when the
 * message cannot be read to its end. Waits for the disk on a worker thread.
 */
enum result original_copy(const struct bounce_report *report, bool headers_only, struct intake *in,
			  int64_t deadline);

#endif
