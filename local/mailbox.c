/* SPDX-License-Identifier: ISC */
/* mailbox - what is delivered here: users' mailboxes, /files and |commands become jobs. */
#include "local/local.h"
#include "log/events.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/zone.h"

#include <errno.h>

const struct account *deliver_as(const struct delivery *d, const struct task *t)
{
	return t->rights != NULL && t->rights->uid != 0 ? t->rights : &d->p->default_account;
}

/* job_for - all that does not depend on the kind of delivery. */
static struct job job_for(struct delivery *d, const struct task *t, enum copy_format format,
			  const struct account *as)
{
	const struct settings *s = d->p->settings;
	const struct local *p = d->p;
	bool delivered = format == COPY_COMMAND ? p->delivered_to_command : p->delivered_to_file;
	struct slice original = d->rcpt->orig.n > 0 ? d->rcpt->orig : d->rcpt->address;
	struct copy_head head = {.sender = t->sender,
				 .original = s->enable_original_recipient ? original : SL_NULL,
				 .delivered = delivered ? t->delivered : SL_NULL};
	struct tm now;

	os_local_time(os_wall() / OS_SECOND, &now);
	head.now = &now;
	return (struct job){.arena = d->arena,
			    .content = d->request->content,
			    .offset = d->request->offset,
			    .size = d->request->size,
			    .head = copy_head(d->arena, format, &head),
			    .format = format,
			    .uid = as->uid,
			    .gid = as->gid,
			    .calls = p->file_calls,
			    .path = "",
			    .owner = as->uid,
			    .owner_group = as->gid,
			    .user = as->name,
			    .locks = p->locks,
			    .size_limit = s->mailbox_size_limit,
			    .strict_owner = s->strict_mailbox_ownership,
			    .host = p->host};
}

static void run_maildir(struct delivery *d, const struct task *t, const struct account *as,
			struct slice path)
{
	struct job job = job_for(d, t, COPY_MAILDIR, as);
	struct outcome o;

	while (path.n > 1 && path.p[path.n - 1] == '/')
		path.n--;
	job.path = arena_dup(d->arena, path).p;
	o = kept_run(&d->p->kept, &job);
	delivery_ended(d, t, &o);
}

/*
 * spool_rights - who may write to mail_spool_directory decides who opens the mailbox: everybody:
 * its user; a group: its user with that group; root: root does, and hands it over.
 */
static bool spool_rights(const struct delivery *d, struct job *job, const char **why)
{
	struct stat st;

	if (os_fstatat(AT_FDCWD, d->p->settings->mail_spool_directory.p, &st, 0) < 0) {
		*why = strerror(errno);
		return false;
	}
	if (st.st_mode & S_IWOTH)
		return true;
	if (st.st_mode & S_IWGRP)
		job->gid = st.st_gid;
	else
		job->privileged = true;
	return true;
}

static bool ends_in_slash(struct slice path)
{
	return path.n > 0 && path.p[path.n - 1] == '/';
}

static void run_mbox(struct delivery *d, const struct task *t, const struct recipient_name *name,
		     const struct account *user)
{
	const struct settings *s = d->p->settings;
	struct job job = job_for(d, t, COPY_MBOX, user);
	const char *why = NULL;
	struct stat st;
	uint64_t before = 0;
	struct outcome o;

	job.is_mailbox = true;
	if (s->home_mailbox.n > 0)
		job.path = arena_printf(d->arena, "%s/%s", user->home.p, s->home_mailbox.p).p;
	else
		job.path =
		    arena_printf(d->arena, "%s/%.*s", s->mail_spool_directory.p, SL_ARG(name->user))
			.p;
	if (s->home_mailbox.n == 0 && !spool_rights(d, &job, &why)) {
		delivery_failed(d, t, SL("4.3.0"),
				arena_printf(d->arena, "cannot access mail spool directory %s: %s",
					     s->mail_spool_directory.p, why));
		return;
	}
	if (s->biff && os_fstatat(AT_FDCWD, job.path, &st, 0) == 0)
		before = (uint64_t)st.st_size;
	o = job.privileged ? job_run(&job, job_mbox) : kept_run(&d->p->kept, &job);
	delivery_ended(d, t, &o);
	if (o.status == DELIVERY_STATUS_SENT)
		biff_tell(d->p, name->user, before);
}

static const char *command_folder(struct delivery *d, const struct task *t,
				  const struct account *user, bool *ok)
{
	const struct settings *s = d->p->settings;
	struct slice path;

	*ok = true;
	if (s->command_execution_directory.n == 0)
		return NULL;
	*ok = expand_names(d, t, user, s->command_execution_directory,
			   s->execution_directory_expansion_filter, &path) &&
	      path.n > 0;
	return *ok ? path.p : NULL;
}

/* run_command - `user`: whose mailbox it is, or whose .forward; NULL: nobody's. */
static void run_command(struct delivery *d, const struct task *t, struct slice command,
			const struct account *as, const struct account *user)
{
	const struct settings *s = d->p->settings;
	struct job job = job_for(d, t, COPY_COMMAND, as);
	struct outcome o;
	bool ok;

	job.command = command;
	job.shell = s->local_command_shell.n > 0 ? s->local_command_shell.p : NULL;
	job.environment = command_environment(d, t, user);
	job.time_limit = s->command_time_limit;
	job.directory = command_folder(d, t, user, &ok);
	if (!ok) {
		delivery_failed(d, t, SL("4.3.0"), SL("bad command_execution_directory"));
		return;
	}
	o = job_run(&job, job_command);
	delivery_ended(d, t, &o);
}

/* found_out - what a probe learns: this is what would be done. */
static void found_out(struct delivery *d, const struct task *t, struct slice text)
{
	struct outcome o = outcome_sent(text);

	delivery_ended(d, t, &o);
}

/* user_command - mailbox_command_maps, mailbox_command; false when neither says anything. */
static bool user_command(struct delivery *d, const struct task *t,
			 const struct recipient_name *name, const struct account *user)
{
	const struct account *as = user->uid != 0 ? user : &d->p->default_account;
	struct slice command;

	switch (
	    table_list_lookup(d->p->mailbox_command_maps, name->user, false, d->arena, &command)) {
	case TABLE_FOUND:
		break;
	case TABLE_TEMP:
		LOG(table_problem, .table = SL("mailbox_command_maps"), .problem = command);
		delivery_failed(d, t, SL("4.3.0"), SL("table lookup failure"));
		return true;
	case TABLE_MISSING:
		command = d->p->settings->mailbox_command;
		break;
	}
	if (command.n > 0 && d->probe)
		found_out(d, t, arena_printf(d->arena, "delivers to command: %.*s", SL_ARG(command)));
	else if (command.n > 0)
		run_command(d, t, command, as, user);
	return command.n > 0;
}

void deliver_user(struct delivery *d, const struct task *t, const struct recipient_name *name,
		  const struct account *user)
{
	const struct settings *s = d->p->settings;
	bool in_home = ends_in_slash(s->home_mailbox);
	bool in_spool = s->home_mailbox.n == 0 && ends_in_slash(s->mail_spool_directory);
	struct slice path;

	if (user_command(d, t, name, user)) {
		return;
	} else if (d->probe) {
		found_out(d, t, in_home || in_spool ? SL("delivers to maildir") : SL("delivers to mailbox"));
	} else if (in_home) {
		path = arena_printf(d->arena, "%s/%s", user->home.p, s->home_mailbox.p);
		run_maildir(d, t, user, path);
	} else if (in_spool) {
		path = arena_printf(d->arena, "%s%.*s/", s->mail_spool_directory.p,
				    SL_ARG(name->user));
		run_maildir(d, t, user, path);
	} else {
		run_mbox(d, t, name, user);
	}
}

void deliver_command(struct delivery *d, const struct task *t)
{
	const struct account *as = deliver_as(d, t);
	struct slice command = arena_dup(d->arena, t->token.text);
	struct slice key =
	    arena_printf(d->arena, "%lu %.*s", (unsigned long)as->uid, SL_ARG(command));

	if (t->kind != FROM_RECIPIENT && !(d->p->allow_commands & (unsigned)t->kind)) {
		delivery_failed(d, t, SL("5.7.1"), SL("mail to command is restricted"));
	} else if (command.n == 0) {
		delivery_failed(d, t, SL("5.3.5"), SL("mail system configuration error"));
	} else if (!delivery_once(d, "command", key)) {
		return;
	} else if (d->probe) {
		found_out(d, t, arena_printf(d->arena, "delivers to command: %.*s", SL_ARG(command)));
	} else {
		run_command(d, t, command, as, t->rights);
	}
}

void deliver_file(struct delivery *d, const struct task *t)
{
	const struct account *as = deliver_as(d, t);
	struct slice path = arena_dup(d->arena, t->token.text);
	struct slice key = arena_printf(d->arena, "%lu %.*s", (unsigned long)as->uid, SL_ARG(path));
	struct outcome o;
	struct job job;

	if (t->kind != FROM_RECIPIENT && !(d->p->allow_files & (unsigned)t->kind)) {
		delivery_failed(d, t, SL("5.7.1"), SL("mail to file is restricted"));
	} else if (memchr(path.p, '\0', path.n) != NULL) {
		delivery_failed(d, t, SL("5.3.5"), SL("mail system configuration error"));
	} else if (!delivery_once(d, "file", key)) {
		return;
	} else if (d->probe) {
		found_out(d, t, arena_printf(d->arena, "delivers to file: %.*s", SL_ARG(path)));
	} else if (ends_in_slash(path)) {
		run_maildir(d, t, as, path);
	} else {
		job = job_for(d, t, COPY_MBOX, as);
		job.path = path.p;
		o = kept_run(&d->p->kept, &job);
		delivery_ended(d, t, &o);
	}
}
