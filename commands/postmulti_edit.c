/* SPDX-License-Identifier: ISC */
/* postmulti_edit - making, taking in, changing and removing instances. main.cf is edited by postconf. */
#include "commands/postmulti.h"
#include "base/buffer.h"
#include "os/file.h"
#include "os/process.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define SETTINGS_MOST 32
#define COPY_MOST ((size_t)1 << 20)
#define DEPTH_MOST 4

/* ---- editing main.cf */

struct edit {
	char *argv[SETTINGS_MOST + 5];
	size_t n;
};

static void edit_begin(struct edit *e, const struct instance *i)
{
	*e = (struct edit){.argv = {(char *)"postconf", (char *)"-c", (char *)(uintptr_t)i->dir, (char *)"-e"},
			   .n = 4};
}

static void edit_set(const struct postmulti *p, struct edit *e, const char *name, struct slice value)
{
	if (e->n < SETTINGS_MOST + 4)
		e->argv[e->n++] =
		    (char *)(uintptr_t)arena_printf(p->command.arena, "%s=%.*s", name, SL_ARG(value)).p;
}

static void edit_end(const struct postmulti *p, struct edit *e, const struct instance *i)
{
	if (e->n > 4 && instance_run(p, i, e->argv, false) != 0)
		command_fatal(&p->command, "cannot change %s/main.cf", i->dir);
}

static void set_one(const struct postmulti *p, const struct instance *i, const char *name, struct slice value)
{
	struct edit e;

	edit_begin(&e, i);
	edit_set(p, &e, name, value);
	edit_end(p, &e, i);
}

/* ---- names and groups */

static bool is_safe(const char *text, const char *more)
{
	for (; *text; text++)
		if (!ascii_isalnum(*text) && strchr(more, *text) == NULL)
			return false;
	return true;
}

/* check_name - the prefixes keep directories of instances apart from others' files. */
static void check_name(const struct postmulti *p)
{
	const char *name = p->new_name;

	if (name == NULL || strcmp(name, "-") == 0)
		return;
	if (strchr(name, '/') != NULL || !is_safe(name, "!@%-_=+:."))
		command_fatal(&p->command,
			      "-I: bad instance name \"%s\": letters, digits and !@%%-_=+:. are allowed", name);
	if (strncmp(name, "postfix-", 8) != 0 && strncmp(name, "postrider-", 10) != 0)
		command_fatal(&p->command,
			      "-I: bad instance name \"%s\": it must begin with postfix- or postrider-", name);
	for (size_t i = 0; i < p->count; i++)
		if (slice_eq(p->list[i].name, slice_str(name)))
			command_fatal(&p->command, "-I: the name %s is that of the instance %s already", name,
				      p->list[i].dir);
}

static void check_group(const struct postmulti *p)
{
	if (p->new_group != NULL && !is_safe(p->new_group, "!@%-_=+:./"))
		command_fatal(&p->command, "-G: bad group \"%s\": letters, digits and !@%%-_=+:./ are allowed",
			      p->new_group);
}

static struct slice or_none(const char *text)
{
	return strcmp(text, "-") == 0 ? SL("") : slice_str(text);
}

static void edit_name_and_group(const struct postmulti *p, struct edit *e)
{
	if (p->new_name != NULL)
		edit_set(p, e, "multi_instance_name", or_none(p->new_name));
	if (p->new_group != NULL)
		edit_set(p, e, "multi_instance_group", or_none(p->new_group));
}

/* ---- the list in the primary instance's main.cf */

static void write_list(const struct postmulti *p, const char *const *dirs, size_t count)
{
	struct buffer text;

	buffer_init(&text, COPY_MOST);
	for (size_t i = 0; i < count; i++)
		buffer_printf(&text, "%s%s", i > 0 ? " " : "", dirs[i]);
	set_one(p, &p->list[0], "multi_instance_directories", buffer_slice(&text));
	buffer_free(&text);
}

/* place_of_new - where -a, -g or -i put a new one among the others; the end without them. */
static size_t place_of_new(const struct postmulti *p)
{
	if (p->all)
		return 1;
	if (p->select_name == NULL && p->select_group == NULL)
		return p->count;
	for (size_t i = 1; i < p->count; i++)
		if (instance_is_selected(p, &p->list[i]))
			return i;
	command_fatal(&p->command, "no secondary instance matches: where shall the new one be?");
}

static void list_add(const struct postmulti *p, const char *dir)
{
	const char **dirs = ARENA_ARRAY(p->command.arena, p->count + 1, const char *);
	size_t place = place_of_new(p), n = 0;

	for (size_t i = 1; i < p->count; i++) {
		if (i == place)
			dirs[n++] = dir;
		dirs[n++] = p->list[i].dir;
	}
	if (place == p->count)
		dirs[n++] = dir;
	write_list(p, dirs, n);
}

static void list_remove(const struct postmulti *p, const struct instance *gone)
{
	const char **dirs = ARENA_ARRAY(p->command.arena, p->count, const char *);
	size_t n = 0;

	for (size_t i = 1; i < p->count; i++)
		if (&p->list[i] != gone)
			dirs[n++] = p->list[i].dir;
	write_list(p, dirs, n);
}

/* ---- an existing instance */

static const struct instance *chosen(const struct postmulti *p)
{
	if (p->select_name == NULL)
		command_fatal(&p->command, "-e %s: which instance? Name it with -i", p->action);
	for (size_t i = 0; i < p->count; i++)
		if (instance_is_selected(p, &p->list[i]))
			return &p->list[i];
	command_fatal(&p->command, "no instance named %s", p->select_name);
}

static const struct instance *chosen_secondary(const struct postmulti *p)
{
	const struct instance *i = chosen(p);

	if (i->primary)
		command_fatal(&p->command, "the primary instance cannot be removed: %s", i->dir);
	if (i->enabled)
		command_fatal(&p->command, "an enabled instance cannot be removed: %s; disable it first", i->dir);
	return i;
}

static void action_init(struct postmulti *p)
{
	struct edit e;

	edit_begin(&e, &p->list[0]);
	edit_set(p, &e, "multi_instance_wrapper", SL("${command_directory}/postmulti -p --"));
	edit_set(p, &e, "multi_instance_enable", SL("yes"));
	edit_end(p, &e, &p->list[0]);
}

static void action_enable(struct postmulti *p)
{
	set_one(p, chosen(p), "multi_instance_enable", SL("yes"));
}

static void action_disable(struct postmulti *p)
{
	set_one(p, chosen(p), "multi_instance_enable", SL("no"));
}

static void action_assign(struct postmulti *p)
{
	const struct instance *i = chosen(p);
	struct edit e;

	if (p->new_name == NULL && p->new_group == NULL)
		command_fatal(&p->command, "-e assign: a new name (-I) or group (-G) is needed");
	edit_begin(&e, i);
	edit_name_and_group(p, &e);
	edit_end(p, &e, i);
}

static void action_deport(struct postmulti *p)
{
	list_remove(p, chosen_secondary(p));
}

/* ---- destroy */

/* What lies in a queue directory, apart from what an administrator put there (etc, lib, dev for chroot). */
static const char *const queue_parts[] = {"active",   "bounce", "corrupt", "defer", "deferred", "flush",
					  "hold",     "incoming", "journal", "large", "maildrop", "pid",
					  "private", "public", "saved", "status", "trace"};
static const char *const data_endings[] = {".lmdb", ".lmdb-lock", ".lock", "prng_exch"};

/* remove_below - everything in the directory, then itself. What cannot go stays. */
static void remove_below(int dirfd, const char *name, int depth)
{
	int fd = os_openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
	struct os_dir *dir;
	const char *entry;

	if (fd < 0)
		return;
	dir = os_dir_open(dirfd, name);
	while (dir != NULL && os_dir_next(dir, &entry) == 1)
		if (os_unlinkat(fd, entry, 0) < 0 && depth < DEPTH_MOST)
			remove_below(fd, entry, depth + 1);
	if (dir != NULL)
		os_dir_close(&dir);
	os_close(fd);
	(void)os_unlinkat(dirfd, name, AT_REMOVEDIR);
}

static void remove_directory(const struct postmulti *p, const char *path)
{
	if (os_unlinkat(AT_FDCWD, path, AT_REMOVEDIR) < 0 && errno != ENOENT)
		command_warn(&p->command, "%s is left: %s", path, strerror(errno));
}

static void remove_queue(const struct postmulti *p, const char *path)
{
	int fd = os_openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0);

	for (size_t i = 0; fd >= 0 && i < sizeof(queue_parts) / sizeof(queue_parts[0]); i++)
		remove_below(fd, queue_parts[i], 0);
	if (fd >= 0)
		os_close(fd);
	remove_directory(p, path);
}

static bool is_our_data(const char *name)
{
	for (size_t i = 0; i < sizeof(data_endings) / sizeof(data_endings[0]); i++)
		if (slice_ends(slice_str(name), slice_str(data_endings[i])))
			return true;
	return false;
}

static void remove_data(const struct postmulti *p, const char *path)
{
	struct os_dir *dir = os_dir_open(AT_FDCWD, path);
	const char *name;

	while (dir != NULL && os_dir_next(dir, &name) == 1)
		if (is_our_data(name))
			(void)os_unlinkat(AT_FDCWD, arena_printf(p->command.arena, "%s/%s", path, name).p, 0);
	if (dir != NULL)
		os_dir_close(&dir);
	remove_directory(p, path);
}

/* require_idle - it does not run, and there is no message in its queue. */
static void require_idle(const struct postmulti *p, const struct instance *i)
{
	char *const status[] = {(char *)"postrider", (char *)"-c", (char *)(uintptr_t)i->dir, (char *)"status", NULL};
	char *const listing[] = {(char *)"sh", (char *)"-c",
				 (char *)"test -z \"$(\"$command_directory/postqueue\" --ids 2>/dev/null)\"", NULL};

	if (instance_run(p, i, status, false) == 0)
		command_fatal(&p->command, "%s runs: stop it first", i->dir);
	if (instance_run(p, i, listing, true) != 0)
		command_fatal(&p->command, "there is mail in %s", i->queue);
}

static void action_destroy(struct postmulti *p)
{
	const struct instance *i = chosen_secondary(p);

	require_idle(p, i);
	list_remove(p, i);
	remove_queue(p, i->queue);
	remove_data(p, i->data);
	for (int n = 0; n < 2; n++)
		(void)os_unlinkat(AT_FDCWD,
				  arena_printf(p->command.arena, "%s/%s", i->dir, n ? "master.cf" : "main.cf").p, 0);
	remove_directory(p, i->dir);
}

/* ---- create, import */

/* Where a new instance will be. */
struct places {
	const char *config, *queue, *data;
};

static const char *given_place(const struct postmulti *p, const char *name)
{
	size_t n = strlen(name);

	for (size_t i = 0; i < p->word_count; i++)
		if (strncmp(p->words[i], name, n) == 0 && p->words[i][n] == '=')
			return p->words[i] + n + 1;
	return NULL;
}

/* place - as it was given, or beside the primary instance's, under the new name. */
static const char *place(const struct postmulti *p, const char *name, const char *primary)
{
	const char *given = given_place(p, name);
	ssize_t slash = slice_rfind(slice_str(primary), '/');

	if (given == NULL && p->new_name != NULL && strcmp(p->new_name, "-") != 0)
		given = arena_printf(p->command.arena, "%.*s/%s", (int)slash, primary, p->new_name).p;
	if (given == NULL)
		command_fatal(&p->command, "-e %s: where? Give a name (-I), or %s=/PATH", p->action, name);
	if (given[0] != '/' || given[1] == '\0')
		command_fatal(&p->command, "%s=%s: an absolute path is allowed, but not /", name, given);
	return given;
}

static void check_words(const struct postmulti *p)
{
	static const char *const names[] = {"config_directory", "queue_directory", "data_directory"};

	for (size_t i = 0; i < p->word_count; i++) {
		struct slice word = slice_str(p->words[i]);
		bool known = false;

		for (size_t n = 0; n < 3; n++)
			known = known || (slice_starts(word, slice_str(names[n])) &&
					  word.p[strlen(names[n])] == '=');
		if (!known)
			command_fatal(&p->command,
				      "\"%s\": config_directory=, queue_directory= and data_directory= are allowed",
				      p->words[i]);
	}
}

/* check_free - no other instance has that directory. */
static void check_free(const struct postmulti *p, const char *dir, const char *what)
{
	for (size_t i = 0; i < p->count; i++) {
		const struct instance *other = &p->list[i];

		if (strcmp(dir, other->dir) == 0 || strcmp(dir, other->queue) == 0 || strcmp(dir, other->data) == 0)
			command_fatal(&p->command, "%s=%s is in use by the instance %s", what, dir, other->dir);
	}
}

static bool exists(const struct postmulti *p, const char *dir, const char *name)
{
	struct stat st;

	return os_fstatat(AT_FDCWD, arena_printf(p->command.arena, "%s/%s", dir, name).p, &st, 0) == 0;
}

/* copy_sample - DIR/NAME from what the installation keeps as NAME.proto. */
static void copy_sample(const struct postmulti *p, const char *dir, const char *name)
{
	struct slice from = instance_parameter(p, &p->list[0], "meta_directory");
	const char *source = arena_printf(p->command.arena, "%.*s/%s.proto", SL_ARG(from), name).p;
	const char *target = arena_printf(p->command.arena, "%s/%s", dir, name).p;
	char *text = arena_alloc(p->command.arena, COPY_MOST);
	int fd = os_openat(AT_FDCWD, source, O_RDONLY, 0);
	ssize_t n = fd < 0 ? -1 : os_read_full(fd, text, COPY_MOST);

	if (n < 0)
		command_fatal(&p->command, "read %s: %s", source, strerror(errno));
	os_close(fd);
	fd = os_openat(AT_FDCWD, target, O_WRONLY | O_CREAT | O_EXCL, 0644);
	if (fd < 0 || os_write_full(fd, text, (size_t)n) < 0 || os_fsync(fd) < 0 || os_close(fd) < 0)
		command_fatal(&p->command, "write %s: %s", target, strerror(errno));
}

static void make_directory(const struct postmulti *p, const char *dir)
{
	if (os_mkdirat(AT_FDCWD, dir, 0755) < 0 && errno != EEXIST)
		command_fatal(&p->command, "make %s: %s", dir, strerror(errno));
}

/*
 * make_files - a system that listens nowhere and takes mail from nobody until its administrator has decided
 * about both; places of what is shared as in the primary instance.
 */
static void make_files(const struct postmulti *p, const struct places *at)
{
	static const char *const shared[] = {"command_directory", "daemon_directory", "shlib_directory",
					     "meta_directory",	  "mail_owner",	      "setgid_group"};
	struct instance fresh = {.dir = at->config};
	struct edit e;

	make_directory(p, at->config);
	copy_sample(p, at->config, "main.cf");
	copy_sample(p, at->config, "master.cf");
	instance_read((struct postmulti *)(uintptr_t)p, at->config, &fresh);
	edit_begin(&e, &fresh);
	for (size_t i = 0; i < sizeof(shared) / sizeof(shared[0]); i++) {
		const struct given_value *given = values_given(&p->list[0].values, slice_str(shared[i]));

		if (given != NULL)
			edit_set(p, &e, shared[i], given->value);
	}
	edit_set(p, &e, "queue_directory", slice_str(at->queue));
	edit_set(p, &e, "data_directory", slice_str(at->data));
	edit_set(p, &e, "master_service_disable", SL("inet"));
	edit_set(p, &e, "authorized_submit_users", SL(""));
	edit_end(p, &e, &fresh);
	values_free(&fresh.values);
	make_directory(p, at->queue);
}

static void take_in(struct postmulti *p, const char *dir)
{
	struct instance added;
	struct edit e;

	instance_read(p, dir, &added);
	check_free(p, added.queue, "queue_directory");
	check_free(p, added.data, "data_directory");
	edit_begin(&e, &added);
	edit_name_and_group(p, &e);
	edit_end(p, &e, &added);
	list_add(p, dir);
	values_free(&added.values);
}

static void action_import(struct postmulti *p)
{
	const char *dir;

	check_words(p);
	dir = place(p, "config_directory", p->list[0].dir);
	check_free(p, dir, "config_directory");
	take_in(p, dir);
}

static void action_create(struct postmulti *p)
{
	struct places at;
	char *check[] = {(char *)"postrider", (char *)"-c", NULL, (char *)"check", NULL};

	check_words(p);
	at.config = place(p, "config_directory", p->list[0].dir);
	check_free(p, at.config, "config_directory");
	if (!exists(p, at.config, "main.cf") || !exists(p, at.config, "master.cf")) {
		at.queue = place(p, "queue_directory", p->list[0].queue);
		at.data = place(p, "data_directory", p->list[0].data);
		check_free(p, at.queue, "queue_directory");
		check_free(p, at.data, "data_directory");
		make_files(p, &at);
	}
	take_in(p, at.config);
	check[2] = (char *)(uintptr_t)at.config;
	if (instance_run(p, &p->list[0], check, false) != 0)
		command_warn(&p->command, "%s is not complete yet: see above", at.config);
}

int postmulti_edit(struct postmulti *p)
{
	static const struct {
		const char *name;
		void (*run)(struct postmulti *p);
		bool names; /* takes -I and -G */
		bool words; /* takes param=value */
	} actions[] = {
	    {"init", action_init, false, false},     {"create", action_create, true, true},
	    {"import", action_import, true, true},   {"destroy", action_destroy, false, false},
	    {"deport", action_deport, false, false}, {"enable", action_enable, false, false},
	    {"disable", action_disable, false, false}, {"assign", action_assign, true, false},
	};

	if (os_euid() != 0)
		command_fatal(&p->command, "-e is reserved for the superuser");
	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
		if (strcmp(actions[i].name, p->action) != 0)
			continue;
		if (!actions[i].names && (p->new_name != NULL || p->new_group != NULL))
			command_fatal(&p->command, "-e %s: -I and -G are not allowed", p->action);
		if (!actions[i].words && p->word_count > 0)
			command_fatal(&p->command, "-e %s: param=value is not allowed", p->action);
		check_name(p);
		check_group(p);
		actions[i].run(p);
		return 0;
	}
	command_fatal(&p->command,
		      "-e: bad action \"%s\": init, create, import, destroy, deport, enable, disable and "
		      "assign are allowed", p->action);
}
