/* SPDX-License-Identifier: ISC */
#include "base/check.h"
#include "commands/postrider.h"
#include "config/main_cf.h"
#include "log/events.h"
#include "os/file.h"
#include "os/process.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAIN_CF_LIMIT ((size_t)1 << 20)

static void open_log(const struct control *c)
{
	const struct settings *s = c->conf->settings;
	struct log_options options = log_options_of(s, SL("postfix-script"));

	options.direct = true;
	options.stderr_too = true;
	log_open(&options);
}

static bool read_file(const char *path, struct buffer *out)
{
	int fd = os_openat(AT_FDCWD, path, O_RDONLY, 0);
	ssize_t n = -1;

	if (fd < 0)
		return false;
	while (buffer_reserve(out, 4096) && (n = os_read(fd, out->data + out->len, 4096)) > 0)
		out->len += (size_t)n;
	os_close(fd);
	return n == 0;
}

void postrider_show_problems(const struct control *c, bool warnings)
{
	for (size_t i = 0; i < c->problems.count; i++) {
		const struct config_problem *p = &c->problems.items[i];
		struct slice text = config_problem_text(c->arena, p);

		if (p->fatal)
			LOG(config_error, .text = text);
		else if (warnings)
			LOG(config_warning, .text = text);
	}
}

/* plain_value - of a line of main.cf that needs no expansion; the default otherwise. */
static void plain_value(const struct main_cf *cf, const char *name, struct buffer *out)
{
	const struct main_cf_entry *e = main_cf_find(cf, slice_str(name));

	if (e != NULL && slice_find(e->value, '$') < 0)
		buffer_printf(out, "%s = %.*s\n", name, SL_ARG(e->value));
}

/*
 * salvage - main.cf is not valid, but the system that it describes may run, and must be found to be
 * stopped: only what says where it lies.
 */
static bool salvage(struct control *c)
{
	static const char *const names[] = {"queue_directory", "maillog_file",
					    "maillog_file_prefixes", "syslog_name", "myhostname"};
	struct slice path = arena_printf(c->arena, "%s/main.cf", c->config_dir);
	struct config_problems ignored;
	struct settings *settings = NULL;
	struct main_cf cf;
	struct buffer text, kept;

	config_problems_init(&ignored, c->arena);
	buffer_init(&text, MAIN_CF_LIMIT);
	buffer_init(&kept, MAIN_CF_LIMIT);
	if (read_file(path.p, &text))
		main_cf_parse(buffer_slice(&text), path, c->arena, &ignored, &cf);
	else
		cf = (struct main_cf){0};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		plain_value(&cf, names[i], &kept);
	if (cf.count > 0)
		settings_parse(buffer_slice(&kept), c->config_dir, NULL, 0, &ignored, &settings);
	buffer_free(&text);
	buffer_free(&kept);
	if (settings == NULL)
		return false;
	c->conf = calloc(1, sizeof(*c->conf));
	if (c->conf == NULL)
		out_of_memory();
	c->conf->settings = settings;
	return true;
}

bool postrider_load(struct control *c)
{
	bool valid = configuration_load(c->config_dir, &c->problems, &c->conf) == RES_OK;

	if (valid || salvage(c))
		open_log(c);
	if (!valid)
		postrider_show_problems(c, true);
	return valid;
}

pid_t postrider_master(const struct control *c)
{
	struct slice path =
	    arena_printf(c->arena, "%s/pid/master.pid", c->conf->settings->queue_directory.p);
	int fd = os_openat(AT_FDCWD, path.p, O_RDONLY | O_NOFOLLOW, 0);
	char text[32] = "";
	pid_t pid = 0;

	if (fd < 0)
		return 0;
	if (os_lock(fd, false, false) < 0 && errno == EWOULDBLOCK &&
	    os_pread(fd, text, sizeof(text) - 1, 0) > 0)
		pid = (pid_t)strtol(text, NULL, 10);
	os_close(fd);
	return pid;
}

char *postrider_path(const struct control *c, const char *folder, const char *name)
{
	return (char *)arena_printf(c->arena, "%s/%s", folder, name).p;
}

int postrider_run(const char *parameter, char *const argv[])
{
	pid_t pid = os_fork();
	int status = 1;

	if (pid == 0) {
		(void)os_exec_search(argv);
		fprintf(stderr, "postrider: fatal: %s%sexecute %s: %s\n", parameter ? parameter : "",
			parameter ? ": " : "", argv[0], strerror(errno));
		os_exit_now(1);
	}
	return pid > 0 && os_wait(pid, &status) == 0 && status == 0 ? 0 : 1;
}
