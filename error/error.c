/* SPDX-License-Identifier: ISC */
/* error - see error/deliver.h. */
#include "error/deliver.h"

static const struct daemon error_daemon = {
    .name = "error",
    .session = error_session,
    .exit_when_idle = true,
};

int main(int argc, char **argv)
{
	return daemon_main(argc, argv, &error_daemon);
}
