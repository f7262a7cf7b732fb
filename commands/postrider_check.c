/* SPDX-License-Identifier: ISC */
#include "commands/postrider.h"
#include "commands/postrider_remote.h"
#include "commands/postrider_values.h"
#include "config/usage.h"
#include "daemon/layout.h"
#include "log/log.h"
#include "os/file.h"
#include "os/process.h"

#include <errno.h>
#include <string.h>

static void report_layout(void *arg, struct slice text)
{
	(void)arg;
	log_warning_text("%.*s", SL_ARG(text));
}

/* check_owner - configuration and programs belong to root, and nobody else may write there. */
static void check_owner(const char *path)
{
	struct stat st;

	if (os_fstatat(AT_FDCWD, path, &st, 0) < 0) {
		log_warning_text("%s: %s", path, strerror(errno));
		return;
	}
	if (st.st_uid != 0)
		log_warning_text("not owned by root: %s", path);
	if (st.st_mode & 022)
		log_warning_text("group or other writable: %s", path);
}

static void check_owners(const struct control *c)
{
	const struct settings *s = c->conf->settings;

	check_owner(c->config_dir);
	check_owner(arena_printf(c->arena, "%s/main.cf", c->config_dir).p);
	check_owner(arena_printf(c->arena, "%s/master.cf", c->config_dir).p);
	check_owner(s->daemon_directory.p);
	check_owner(s->command_directory.p);
}

static bool check_accounts(const struct control *c, struct sandbox_accounts *accounts)
{
	struct slice missing;

	if (sandbox_accounts(privileges_find(SL("master")), c->conf->settings, accounts,
			     &missing) == RES_OK)
		return true;
	log_fatal_text("no such user or group: %.*s", SL_ARG(missing));
	return false;
}

/* check_own_accounts - the processes that speak to strangers should not be the spool's owner. */
static void check_own_accounts(const struct control *c)
{
	for (size_t i = 0; i < privilege_count; i++) {
		struct sandbox_accounts a;
		struct slice missing;

		if (privileges[i].user == USER_OWN &&
		    sandbox_accounts(&privileges[i], c->conf->settings, &a, &missing) == RES_OK &&
		    a.fell_back)
			log_warning_text("there is no account %s: %s runs as %.*s", a.own_name,
					 privileges[i].name,
					 SL_ARG(c->conf->settings->mail_owner));
	}
}

/* The commands that unprivileged users start, and that reach more than they. */
static const char *const set_gid_commands[] = {"postdrop", "postqueue", "postlog"};

static bool is_set_gid(int fd, gid_t group)
{
	struct stat st;

	return os_fstat(fd, &st) == 0 && st.st_gid == group && (st.st_mode & 07777) == 02755;
}

/* make_set_gid - the group first: changing it takes the bit away. */
static bool make_set_gid(int fd, gid_t group)
{
	return os_fchown(fd, 0, group) == 0 && os_fchmod(fd, 02755) == 0;
}

/* check_set_gid - that each has setgid_group, and the bit; with `mend` it gets them. */
static bool check_set_gid(const struct control *c, const struct sandbox_accounts *accounts, bool mend)
{
	bool all = true;

	for (size_t i = 0; i < sizeof(set_gid_commands) / sizeof(set_gid_commands[0]); i++) {
		const char *path = postrider_path(c, c->conf->settings->command_directory.p,
						set_gid_commands[i]);
		int fd = os_openat(AT_FDCWD, path, O_RDONLY | O_NOFOLLOW, 0);

		if (fd < 0 || !(is_set_gid(fd, accounts->drop_gid) ||
				(mend && make_set_gid(fd, accounts->drop_gid)))) {
			log_warning_text("not set-gid %.*s: %s", SL_ARG(c->conf->settings->setgid_group),
					 path);
			all = false;
		}
		if (fd >= 0)
			os_close(fd);
	}
	return all;
}

/* check_usage - names that nothing defines or uses, parameters that change nothing here, tables. */
static void check_usage(struct control *c)
{
	struct slice path = arena_printf(c->arena, "%s/main.cf", c->config_dir);
	struct config_problems told;
	struct master_cf cf; /* with the services that cannot run, too */
	struct usage usage;

	config_problems_init(&told, c->arena);
	(void)master_cf_load(c->config_dir, c->conf->settings, c->arena, &told, &cf);
	usage_find(c->conf->settings->values, path, &cf, c->arena, &c->problems, &usage);
	usage_unused(&usage, &c->problems);
	usage_deprecated(&usage, &c->problems);
	usage_without_effect(&usage, &c->problems);
	usage_restrictions(&usage, &c->problems);
	postrider_check_values(c->conf->settings->values, c->arena, &c->problems);
	postrider_check_overrides(c->config_dir, &cf, c->arena, &c->problems);
	postrider_check_remote(c->conf->settings, c->config_dir, &c->problems);
	usage_free(&usage);
}

bool postrider_check(struct control *c, bool all)
{
	struct sandbox_accounts accounts;
	bool root = os_euid() == 0;

	if (!check_accounts(c, &accounts))
		return false;
	if (layout_check(c->conf->settings, &accounts, root, report_layout, NULL) > 0 && root) {
		log_fatal_text("Postrider integrity check failed!");
		return false;
	}
	if (!all)
		return true;
	check_usage(c);
	postrider_show_problems(c, true);
	check_owners(c);
	check_set_gid(c, &accounts, false);
	check_own_accounts(c);
	return c->problems.fatal == 0;
}

bool postrider_set_permissions(struct control *c)
{
	struct sandbox_accounts accounts;

	return postrider_check(c, false) && check_accounts(c, &accounts) && check_set_gid(c, &accounts, true);
}
