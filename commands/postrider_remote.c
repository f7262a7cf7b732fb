/* SPDX-License-Identifier: ISC */
#include "commands/postrider_remote.h"

#include "blocking/proxymap/catalog.h"
#include "os/file.h"
#include "os/process.h"

#include <errno.h>
#include <unistd.h>

static void note_table(void *arg, struct slice table)
{
	(void)table;
	*(bool *)arg = true;
}

/* ask_proxymap - it opens them all, asks no server, and says what is wrong. */
static bool ask_proxymap(const struct settings *settings, const char *config_dir,
			 struct arena *arena)
{
	struct slice path =
	    arena_printf(arena, "%.*s/proxymap", SL_ARG(settings->daemon_directory));
	char *argv[] = {(char *)(uintptr_t)path.p, (char *)(uintptr_t) "--check-tables",
			(char *)(uintptr_t)config_dir, NULL};
	int input = os_openat(AT_FDCWD, "/dev/null", O_RDONLY, 0);
	pid_t pid = input >= 0 ? os_spawn(path.p, argv, environ, input) : -1;
	int saved = errno, status;

	if (input >= 0)
		os_close(input);
	errno = saved;
	return pid > 0 && os_wait(pid, &status) == 0;
}

void postrider_check_remote(const struct settings *settings, const char *config_dir,
			    struct config_problems *problems)
{
	bool any = false;

	catalog_visit(settings, config_dir, note_table, &any);
	if (any && !ask_proxymap(settings, config_dir, problems->arena))
		config_problem_add(problems, false, SL_NULL, 0, SL("daemon_directory"),
				   "%.*s/proxymap cannot be run: %s",
				   SL_ARG(settings->daemon_directory), strerror(errno));
}
