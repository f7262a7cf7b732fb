/* SPDX-License-Identifier: ISC */
/*
 * proxymap - the tables that are not local, looked up for all others from one confined process.
 * proxymap(8)
 *
 * Started by a command (postmap -q) instead, with --serve-stdin: it looks up for that one caller,
 * over its standard input, with the caller's own rights, whatever table it is asked for. With
 * --check-tables CONFIG_DIRECTORY it says what is wrong with the tables of a configuration, and
 * asks no server.
 */
#include "blocking/proxymap/catalog.h"
#include "blocking/proxymap/serve.h"
#include "config/settings.h"
#include "daemon/daemon.h"
#include "fiber/fiber.h"
#include "log/events.h"
#include "os/process.h"

#include <stdio.h>
#include <unistd.h>

#define LOOK_EVERY (5 * OS_SECOND)

struct proxymap {
	struct serving *serving;
	struct callers *callers;
};

static void warn_log(struct slice text)
{
	LOG(warning, .text = text);
}

static void add_table(void *arg, struct slice table)
{
	serving_add(arg, table);
}

/* ---- started by master */

static void allow_read(void *arg, const char *path)
{
	daemon_allow_read(arg, path);
}

static void allow_port(void *arg, uint16_t port)
{
	daemon_allow_connect(arg, port);
}

static enum result proxymap_open(struct daemon_context *context)
{
	const struct settings *settings = context->settings;
	struct proxymap *p = ARENA_NEW(context->arena, struct proxymap);
	struct serving_options options = {
	    .settings = settings,
	    .modules = settings->daemon_directory.p,
	    .connections = (size_t)settings->proxymap_connection_limit,
	    .limit = settings->proxymap_lookup_timeout,
	    .warn = warn_log,
	};

	p->serving = serving_create(&options, context->arena);
	p->callers = callers_create(p->serving, context->arena);
	catalog_visit(settings, context->config_dir, add_table, p->serving);
	serving_reads(p->serving, allow_read, context);
	serving_ports(p->serving, allow_port, context);
	context->state = p;
	return RES_OK;
}

static void upkeep(void *arg)
{
	struct daemon_context *context = arg;
	struct proxymap *p = context->state;

	while (fiber_sleep(os_deadline(LOOK_EVERY), "idle connections") == 0) {
		serving_close_idle(p->serving, daemon_draining(context));
		if (daemon_draining(context) || !serving_changed(p->serving))
			continue;
		/* the successor reads them; what goes on here keeps what it has */
		log_info_text("table has changed -- restarting");
		daemon_stop(context);
	}
}

static void proxymap_start(struct daemon_context *context)
{
	fiber_spawn("upkeep", upkeep, context);
}

static void proxymap_session(struct daemon_context *context, struct daemon_session *session)
{
	struct proxymap *p = context->state;

	/* may be ended at a drain: a caller asks the successor what was in flight */
	daemon_session_idle(session, true);
	callers_serve(p->callers, session->fd);
}

/* proxymap_drain - servers hear a good-bye. */
static void proxymap_drain(struct daemon_context *context)
{
	struct proxymap *p = context->state;

	serving_close_idle(p->serving, true);
}

static void proxymap_status(struct daemon_context *context, struct buffer *out)
{
	struct proxymap *p = context->state;

	buffer_printf(out, "tables: %zu, lookups under way: %zu\n", serving_count(p->serving),
		      callers_busy(p->callers));
	serving_status(p->serving, out);
}

static const struct daemon proxymap_daemon = {
    .name = "proxymap",
    .open = proxymap_open,
    .start = proxymap_start,
    .session = proxymap_session,
    .drain = proxymap_drain,
    .status = proxymap_status,
};

/* ---- started by a command */

static void warn_stderr(struct slice text)
{
	fprintf(stderr, "proxymap: warning: %.*s\n", SL_ARG(text));
}

/* load_settings - NULL: only files can say what a table is. */
static struct settings *load_settings(const char *dir, struct arena *arena)
{
	struct config_problems problems;
	struct settings *settings = NULL;

	config_problems_init(&problems, arena);
	settings_load(dir, NULL, 0, &problems, &settings);
	return settings;
}

static void serve_stdin(void *arg)
{
	struct arena *arena = arena_create();
	const struct settings *settings = load_settings(arg, arena);
	struct serving_options options = {
	    .settings = settings,
	    .modules = settings != NULL ? settings->daemon_directory.p : DAEMON_DIRECTORY,
	    .connections = 1,
	    .limit = settings != NULL ? settings->proxymap_lookup_timeout : 30 * OS_SECOND,
	    .on_demand = true,
	    .warn = warn_stderr,
	};
	struct serving *serving = serving_create(&options, arena);

	callers_serve(callers_create(serving, arena), STDIN_FILENO);
	serving_close_idle(serving, true);
}

/* check_tables - all that the configuration names, without asking a server. */
static int check_tables(const char *config_dir)
{
	struct arena *arena = arena_create();
	const struct settings *settings = load_settings(config_dir, arena);
	struct serving_options options = {.settings = settings, .warn = warn_stderr};
	struct serving *serving;

	if (settings == NULL)
		return 1;
	options.modules = settings->daemon_directory.p;
	options.connections = (size_t)settings->proxymap_connection_limit;
	options.limit = settings->proxymap_lookup_timeout;
	serving = serving_create(&options, arena);
	catalog_visit(settings, config_dir, add_table, serving);
	return 0;
}

static int serve_command(char *config_dir)
{
	os_signal_ignore(SIGPIPE);
	return fibers_run(NULL, serve_stdin, config_dir) < 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && slice_eq(slice_str(argv[1]), SL("--serve-stdin")))
		return serve_command(argv[2]);
	if (argc == 3 && slice_eq(slice_str(argv[1]), SL("--check-tables")))
		return check_tables(argv[2]);
	return daemon_main(argc, argv, &proxymap_daemon);
}
