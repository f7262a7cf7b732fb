/* SPDX-License-Identifier: ISC */
/*
 * postlock - run a command while a mailbox file is locked as local locks it; postlock(1). The locks on the open file
 * are this process's, not the command's, which gets no descriptor of it.
 */
#include "commands/command.h"
#include "local/lock.h"
#include "os/file.h"
#include "os/process.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

struct postlock {
	struct command command;
	struct lock_rules rules;
	const char *style; /* -l, or NULL */
	const char *path;
	const char *dot; /* the lock file that is ours, or NULL */
	char **words;    /* the command */
};

static _Noreturn void usage(const struct postlock *p)
{
	command_fatal(&p->command, "usage: postlock [-c config_dir] [-l lock_style] [-v] folder command...");
}

static void parse_arguments(struct postlock *p, int argc, char **argv)
{
	int option;

	while ((option = command_option(&p->command, argc, argv, "+c:l:v")) > 0) {
		if (option == 'c')
			p->command.config_dir = optarg;
		else if (option == 'l')
			p->style = optarg;
		else if (option != 'v')
			usage(p);
	}
	if (argc - optind < 2)
		usage(p);
	p->path = argv[optind];
	p->words = argv + optind + 1;
}

/* take_style - the words of -l in place of mailbox_delivery_lock. */
static void take_style(struct postlock *p)
{
	struct slice rest = slice_str(p->style), word;

	p->rules.kinds = 0;
	while (settings_next_word(&rest, &word)) {
		if (lock_kind(word) == 0)
			command_fatal(&p->command,
				      "-l: bad lock style \"%.*s\": fcntl, flock and dotlock are allowed",
				      SL_ARG(word));
		p->rules.kinds |= lock_kind(word);
	}
}

static _Noreturn void give_up(const struct postlock *p, const char *what)
{
	int error = errno;

	if (p->dot != NULL)
		(void)os_unlinkat(AT_FDCWD, p->dot, 0);
	command_fatal(&p->command, "%s %s: %s", what, p->path, strerror(error));
}

/* lock - in the order of all mail programs: the lock file, then the locks on the file. */
static int lock(struct postlock *p)
{
	const char *dot = arena_printf(p->command.arena, "%s.lock", p->path).p;
	int fd;

	if (p->rules.kinds & LOCK_DOT) {
		if (lock_make_file(&p->rules, dot) < 0)
			give_up(p, "unable to create lock file for");
		p->dot = dot;
	}
	fd = os_openat(AT_FDCWD, p->path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		give_up(p, "open");
	for (unsigned kind = LOCK_FCNTL; kind <= LOCK_FLOCK; kind++)
		if ((p->rules.kinds & kind) && lock_open_file(&p->rules, fd, kind) < 0)
			give_up(p, "unable to lock");
	return fd;
}

/* wait_for - what ends us is passed on, for the lock is held as long as the command runs. */
static int wait_for(pid_t pid, const sigset_t *signals)
{
	int status, signal;

	while ((signal = os_signals_wait(signals)) != SIGCHLD)
		(void)os_kill(pid, signal);
	if (os_wait(pid, &status) < 0 || !WIFEXITED(status))
		return EX_TEMPFAIL;
	return WEXITSTATUS(status);
}

/* run - the command's exit status; 1 when it cannot be executed, 75 when it did not exit by itself. */
static int run(const struct postlock *p)
{
	sigset_t signals;
	pid_t pid;

	sigemptyset(&signals);
	sigaddset(&signals, SIGCHLD);
	sigaddset(&signals, SIGHUP);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGQUIT);
	sigaddset(&signals, SIGTERM);
	(void)os_signal_default(SIGCHLD);
	(void)os_signals_block(&signals);
	pid = os_fork();
	if (pid == 0) {
		os_signals_unblock();
		(void)os_exec_search(p->words);
		command_warn(&p->command, "execute %s: %s", p->words[0], strerror(errno));
		os_exit_now(1);
	}
	return pid < 0 ? EX_TEMPFAIL : wait_for(pid, &signals);
}

int main(int argc, char **argv)
{
	struct postlock p = {.command = {.name = "postlock", .failure = EX_TEMPFAIL}};
	int fd, status;

	parse_arguments(&p, argc, argv);
	command_load(&p.command);
	p.rules = lock_rules_of(p.command.settings);
	if (p.style != NULL)
		take_style(&p);
	fd = lock(&p);
	status = run(&p);
	if (p.dot != NULL)
		(void)os_unlinkat(AT_FDCWD, p.dot, 0);
	os_close(fd);
	command_close(&p.command);
	return status;
}
