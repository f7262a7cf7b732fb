/* SPDX-License-Identifier: ISC */
/* discard - see error/deliver.h. */
#include "error/deliver.h"

static const struct daemon discard_daemon = {
    .name = "discard",
    .session = discard_session,
    .exit_when_idle = true,
};

int main(int argc, char **argv)
{
	return daemon_main(argc, argv, &discard_daemon);
}
