/* SPDX-License-Identifier: ISC */
#include "daemon/sandbox.h"
#include "daemon/calls.h"
#include "config.h"
#include "os/file.h"
#include "os/process.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdio.h>

#define EVERY_PORT 65536u

/* ---- accounts */

static bool find_user(const char *name, uid_t *uid, gid_t *gid)
{
	const struct passwd *pw = getpwnam(name);

	if (pw == NULL)
		return false;
	*uid = pw->pw_uid;
	*gid = pw->pw_gid;
	return true;
}

static bool find_group(const char *name, gid_t *gid)
{
	const struct group *gr = getgrnam(name);

	if (gr == NULL)
		return false;
	*gid = gr->gr_gid;
	return true;
}

/* own_account - ${mail_owner}-SUFFIX, with the group that may reach private/. */
static void own_account(const struct privileges *row, const struct settings *settings,
			struct sandbox_accounts *out)
{
	gid_t ignored;

	out->uid = out->owner_uid;
	snprintf(out->own_name, sizeof(out->own_name), "%.*s-%s", SL_ARG(settings->mail_owner),
		 row->account);
	out->fell_back = !find_user(out->own_name, &out->uid, &ignored);
}

enum result sandbox_accounts(const struct privileges *row, const struct settings *settings,
			     struct sandbox_accounts *out, struct slice *missing)
{
	*out = (struct sandbox_accounts){.uid = os_uid(), .gid = os_gid()};
	/* a command stays who it is: nothing to look up, which costs a command more than all the rest */
	if (row->user == USER_CALLER)
		return RES_OK;
	*missing = settings->mail_owner;
	if (!find_user(settings->mail_owner.p, &out->owner_uid, &out->owner_gid))
		return RES_PERM;
	*missing = settings->setgid_group;
	if (!find_group(settings->setgid_group.p, &out->drop_gid))
		return RES_PERM;
	out->uid = out->owner_uid;
	out->gid = out->owner_gid;
	switch (row->user) {
	case USER_SPOOL:
		break;
	case USER_OWN:
		own_account(row, settings, out);
		break;
	case USER_ROOT:
		out->uid = 0;
		out->gid = 0;
		break;
	case USER_CALLER:
		break;
	}
	return RES_OK;
}

/* ---- Landlock: files */

#define READ_ACCESS (OS_LANDLOCK_READ_FILE | OS_LANDLOCK_READ_DIR)
#define WRITE_ACCESS                                                                              \
	(READ_ACCESS | OS_LANDLOCK_WRITE_FILE | OS_LANDLOCK_REMOVE_FILE | OS_LANDLOCK_REMOVE_DIR | \
	 OS_LANDLOCK_MAKE_DIR | OS_LANDLOCK_MAKE_REG | OS_LANDLOCK_REFER | OS_LANDLOCK_TRUNCATE)

/* known_accesses - what this level of Landlock can forbid. */
static uint64_t known_accesses(int abi)
{
	uint64_t files = OS_LANDLOCK_FILES_1;

	if (abi >= 2)
		files |= OS_LANDLOCK_REFER;
	if (abi >= 3)
		files |= OS_LANDLOCK_TRUNCATE;
	if (abi >= 5)
		files |= OS_LANDLOCK_IOCTL_DEV;
	return files;
}

/* allow_paths - what does not exist cannot be opened either: no error. */
static bool allow_paths(const struct sandbox *s, const char *words, uint64_t access)
{
	struct slice rest = slice_str(words), word;
	char path[4096];

	access &= known_accesses(s->landlock_abi);
	while (slice_next(&rest, " ", &word)) {
		int n = word.p[0] == '/' ? snprintf(path, sizeof(path), "%.*s", SL_ARG(word))
					 : snprintf(path, sizeof(path), "%s/%.*s",
						    s->queue_directory, SL_ARG(word));

		if (n < 0 || (size_t)n >= sizeof(path))
			return false;
		if (os_landlock_allow(s->ruleset, path, access) < 0 && errno != ENOENT &&
		    errno != ENOTDIR)
			return false;
	}
	return true;
}

/* ---- Landlock: ports */

struct port_walk {
	bool (*visit)(void *arg, uint16_t port);
	void *arg;
};

/* port_at - the number that begins here and ends as a port does; 0: none. */
static uint16_t port_at(struct slice s)
{
	size_t digits = 0;
	uint64_t port;

	while (digits < s.n && ascii_isdigit(s.p[digits]))
		digits++;
	if (digits < s.n && (ascii_isalnum(s.p[digits]) || s.p[digits] == '.' || s.p[digits] == ':'))
		return 0;
	if (!slice_u64(slice_sub(s, 0, digits), &port) || port >= EVERY_PORT)
		return 0;
	return (uint16_t)port;
}

/* visit_value - "smtp:[10.0.0.1]:2525, lmtp:inet:host:24": the numbers behind colons. */
static bool visit_value(const struct port_walk *walk, struct slice value)
{
	for (size_t i = 0; i < value.n; i++) {
		uint16_t port = value.p[i] == ':' ? port_at(slice_from(value, i + 1)) : 0;

		if (port != 0 && !walk->visit(walk->arg, port))
			return false;
	}
	return true;
}

static bool visit_ports(const struct port_walk *walk, const char *words,
			const struct settings *settings)
{
	struct slice rest = slice_str(words), word, value;
	struct arena *arena = arena_create();
	bool fine = true;
	uint64_t port;

	while (fine && slice_next(&rest, " ", &word)) {
		if (word.p[0] == '$') {
			if (settings_get(settings, slice_from(word, 1), arena, &value))
				fine = visit_value(walk, value);
		} else if (slice_u64(word, &port)) {
			fine = walk->visit(walk->arg, (uint16_t)port);
		}
	}
	arena_destroy(&arena);
	return fine;
}

static bool any_set(const char *words, const struct settings *settings)
{
	struct slice rest = slice_str(words), word, value;
	struct arena *arena = arena_create();
	bool set = false;

	while (!set && slice_next(&rest, " ", &word))
		set = settings_get(settings, word, arena, &value) && slice_trim(value).n > 0;
	arena_destroy(&arena);
	return set;
}

static bool connects_anywhere(const struct privileges *row, const struct settings *settings)
{
	return strcmp(row->connect, "any") == 0 || any_set(row->connect_any_if, settings);
}

static bool allow_connect(void *ruleset, uint16_t port)
{
	return os_landlock_allow_port(*(int *)ruleset, port, OS_LANDLOCK_CONNECT_TCP) == 0;
}

static bool allow_bind(void *ruleset, uint16_t port)
{
	return os_landlock_allow_port(*(int *)ruleset, port, OS_LANDLOCK_BIND_TCP) == 0;
}

static bool differs(void *wanted, uint16_t port)
{
	return *(uint16_t *)wanted != port;
}

bool sandbox_port_allowed(const struct privileges *row, const struct settings *settings,
			  uint16_t port)
{
	struct port_walk walk = {differs, &port};

	return connects_anywhere(row, settings) || !visit_ports(&walk, row->connect, settings);
}

/* handled_net - TCP actions that the row limits. */
static uint64_t handled_net(const struct sandbox *s, const struct settings *settings)
{
	uint64_t net = 0;

	if (s->landlock_abi < 4)
		return 0;
	if (!connects_anywhere(s->row, settings))
		net |= OS_LANDLOCK_CONNECT_TCP;
	if (strcmp(s->row->bind, "any") != 0)
		net |= OS_LANDLOCK_BIND_TCP;
	return net;
}

/* allow_extra - what the configuration adds, of what the row limits. */
static bool allow_extra(const struct sandbox *s, uint64_t files, uint64_t net)
{
	uint64_t access = READ_ACCESS & known_accesses(s->landlock_abi);

	for (const struct sandbox_extra *x = s->extra; x != NULL; x = x->next) {
		if (x->path == NULL && net & OS_LANDLOCK_CONNECT_TCP &&
		    os_landlock_allow_port(s->ruleset, x->port, OS_LANDLOCK_CONNECT_TCP) < 0)
			return false;
		if (x->path != NULL && files != 0 &&
		    os_landlock_allow(s->ruleset, x->path, access) < 0 && errno != ENOENT &&
		    errno != ENOTDIR)
			return false;
	}
	return true;
}

static bool fill_ruleset(const struct sandbox *s, const struct settings *settings, uint64_t files,
			 uint64_t net)
{
	int ruleset = s->ruleset;
	struct port_walk connect = {allow_connect, &ruleset};
	struct port_walk bind = {allow_bind, &ruleset};

	if (files != 0 && (!allow_paths(s, s->row->read, READ_ACCESS) ||
			   !allow_paths(s, s->row->write, WRITE_ACCESS)))
		return false;
	if (!allow_extra(s, files, net))
		return false;
#ifdef POSTRIDER_SANITIZERS
	if (files != 0)
		os_landlock_allow(ruleset, "/proc", READ_ACCESS);
#endif
	if (net & OS_LANDLOCK_CONNECT_TCP && !visit_ports(&connect, s->row->connect, settings))
		return false;
	return !(net & OS_LANDLOCK_BIND_TCP) || visit_ports(&bind, s->row->bind, settings);
}

static bool make_ruleset(struct sandbox *s, const struct settings *settings)
{
	uint64_t files = s->row->any_file ? 0 : known_accesses(s->landlock_abi);
	uint64_t net = handled_net(s, settings);
	uint64_t scopes = 0;

	/* what runs other people's programs must let them signal each other */
	if (s->landlock_abi >= 6 && s->row->no_new_privs)
		scopes = OS_LANDLOCK_SCOPE_SIGNAL | OS_LANDLOCK_SCOPE_ABSTRACT;
	if (s->landlock_abi == 0 || (files | net | scopes) == 0)
		return true;
	s->ruleset = os_landlock_create(files, net, scopes);
	return s->ruleset >= 0 && fill_ruleset(s, settings, files, net);
}

/* ---- both steps */

enum result sandbox_prepare(const struct privileges *row, const struct settings *settings,
			    const struct sandbox_accounts *accounts, bool chroot,
			    const struct sandbox_extra *extra, struct sandbox *out, const char **what)
{
	*out = (struct sandbox){.row = row,
				.accounts = *accounts,
				.queue_directory = settings->queue_directory.p,
				.extra = extra,
				.chroot = chroot && row->chroot,
				.unprivileged_start = os_euid() != 0,
				.landlock_abi = os_landlock_abi(),
				.ruleset = -1};
	*what = "landlock rules";
	if (!make_ruleset(out, settings))
		return RES_TEMP;
	*what = "system call filter";
	out->calls = calls_find(row->calls);
	return out->calls != NULL ? RES_OK : RES_TEMP;
}

static bool enter_directory(const struct sandbox *s)
{
	if (s->row->kind == KIND_CHILD)
		return true;
	if (os_chdir(s->queue_directory) < 0)
		return false;
	return !s->chroot || s->unprivileged_start || os_chroot(".") == 0;
}

/* enter_user - the bounding set first, for it needs a capability itself. */
static bool enter_user(const struct sandbox *s)
{
	const struct privileges *row = s->row;
	uint64_t keep = capability_mask(row->capabilities);

	if (s->unprivileged_start)
		return true;
	/* a process whose children run set-uid programs keeps the bounding set for them */
	if (row->no_new_privs && os_capabilities_bound(keep) < 0)
		return false;
	if (row->user == USER_ROOT || row->user == USER_CALLER)
		return true;
	/* the sockets in public/ are open to $setgid_group; the spool's own files are not */
	return os_become(s->accounts.uid, s->accounts.gid, &s->accounts.drop_gid, 1) == 0;
}

static bool enter_landlock(struct sandbox *s)
{
	int rc;

	if (s->ruleset < 0)
		return true;
	rc = os_landlock_restrict(s->ruleset);
	os_close(s->ruleset);
	s->ruleset = -1;
	return rc == 0;
}

enum result sandbox_enter(struct sandbox *s, const char **what)
{
	bool dumpable = false;
	int rc;

#ifdef POSTRIDER_SANITIZERS
	dumpable = true;
#endif
	*what = "queue_directory";
	if (!enter_directory(s))
		return RES_PERM;
	*what = "user";
	if (!enter_user(s))
		return RES_PERM;
	*what = "no_new_privs";
	if (s->row->no_new_privs && os_no_new_privs() < 0)
		return RES_PERM;
	*what = "landlock";
	if (!enter_landlock(s))
		return RES_PERM;
	os_set_dumpable(dumpable);
	/*
	 * A filter needs no_new_privs or CAP_SYS_ADMIN: the latter goes only after it; the list `broad`
	 * lets capset through, and the others belong to rows without capabilities.
	 */
	*what = "capabilities";
	if (s->row->no_new_privs && !s->unprivileged_start &&
	    os_capabilities_set(capability_mask(s->row->capabilities)) < 0)
		return RES_PERM;
	*what = "system call filter";
	rc = calls_enter(s->calls);
	if (rc < 0) {
		errno = -rc;
		return RES_PERM;
	}
	*what = "capabilities";
	if (!s->row->no_new_privs && !s->unprivileged_start &&
	    os_capabilities_set(capability_mask(s->row->capabilities)) < 0)
		return RES_PERM;
	*what = NULL;
	return RES_OK;
}
