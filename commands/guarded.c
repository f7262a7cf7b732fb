/* SPDX-License-Identifier: ISC */
#include "commands/guarded.h"
#include "daemon/command.h"
#include "os/file.h"
#include "os/process.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <unistd.h>

/* clean_environment - only what has a meaning here survives. */
static void clean_environment(void)
{
	static const char *const kept[] = {"MAIL_CONFIG", "TZ"};
	char *values[2];

	for (size_t i = 0; i < 2; i++) {
		const char *value = getenv(kept[i]);

		values[i] = value != NULL ? strdup(value) : NULL;
	}
	clearenv();
	for (size_t i = 0; i < 2; i++)
		if (values[i] != NULL)
			setenv(kept[i], values[i], 1);
	setenv("PATH", "/usr/bin:/bin", 1);
}

void guarded_begin(void)
{
	clean_environment();
	/* missing standard descriptors would be taken by the files opened next */
	for (int fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) < 0 && os_openat(AT_FDCWD, "/dev/null", O_RDWR, 0) != fd)
			_exit(EX_OSERR);
	os_close_from(3);
	os_limit(RLIMIT_CORE, 0);
	os_umask(022);
}

void guarded_confine(const struct command *c)
{
	const char *what = NULL;

	if (command_confine(c->name, c->settings, &what) != RES_OK)
		command_fatal(c, "%s: %s", what, strerror(errno));
}
