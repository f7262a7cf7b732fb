/* SPDX-License-Identifier: ISC */
#include "address/list.h"
#include "config/environment.h"
#include "daemon/calls.h"
#include "daemon/daemon.h"
#include "daemon/privileges.h"
#include "local/local.h"
#include "log/events.h"
#include "message/header.h"
#include "os/file.h"
#include "os/host.h"
#include "os/zone.h"
#include "table/remote.h"

#include <stdlib.h>

#define KEPT_CLEANUP_CONNECTIONS 2
#define HEAD_USUAL ((size_t)8192)
/* Where a message's head ends for us, if it never does. */
#define HEAD_MAX ((size_t)1 << 20)
/* tasks, tokens, addresses: no frame is large, but name services of others run on this stack */
#define STACK_SIZE ((size_t)512 << 10)

/* ---- settings */

static void table_warning(void *data, struct slice text)
{
	(void)data;
	LOG(warning, .text = text);
}

static bool list_has(struct slice list, struct slice wanted)
{
	struct slice word;

	while (settings_next_word(&list, &word))
		if (slice_caseeq(word, wanted))
			return true;
	return false;
}

static unsigned kinds_in(struct slice list)
{
	return (list_has(list, SL("alias")) ? FROM_ALIAS : 0u) |
	       (list_has(list, SL("forward")) ? FROM_FORWARD : 0u) |
	       (list_has(list, SL("include")) ? FROM_INCLUDE : 0u);
}

/*
 * table_owner - of the file behind type:name, which may be the one that says where a server is; root for what is
 * no file.
 */
static uid_t table_owner(struct arena *arena, struct slice spec)
{
	bool database = slice_starts(spec, SL("lmdb:")) || slice_starts(spec, SL("hash:")) ||
			slice_starts(spec, SL("btree:"));
	struct slice path;
	struct stat st;

	if (!database && !slice_starts(spec, SL("texthash:")) && !table_remote_spec(spec, &path))
		return 0;
	path = slice_from(spec, (size_t)slice_find(spec, ':') + 1);
	path = arena_printf(arena, "%.*s%s", SL_ARG(path),
			    database && !slice_ends(path, SL(".lmdb")) ? ".lmdb" : "");
	return os_fstatat(AT_FDCWD, path.p, &st, 0) == 0 ? st.st_uid : 0;
}

static void open_aliases(struct local *p, struct arena *arena)
{
	struct slice rest = p->settings->alias_maps, word;
	size_t count = 0;

	while (settings_next_word(&rest, &word))
		count++;
	p->aliases = ARENA_ARRAY(arena, count + 1, struct alias_table);
	rest = p->settings->alias_maps;
	while (settings_next_word(&rest, &word)) {
		struct alias_table *a = &p->aliases[p->alias_count++];

		if (slice_starts(word, SL("proxy:")))
			word = slice_from(word, SL("proxy:").n);
		a->table = table_open(p->tables, word, TABLE_FOLD | TABLE_NO_SUBST | TABLE_TRUSTED);
		a->owner = table_owner(arena, word);
	}
}

static void open_tables(struct local *p, struct arena *arena)
{
	const struct settings *s = p->settings;
	struct table_config config = {
	    .warn = table_warning, .default_type = s->default_database_type, .may_block = true,
	    .remote = daemon_remote(s)};

	p->tables = table_set_create(&config);
	p->route = route_create(s, p->tables);
	p->mailbox_transport_maps =
	    table_list_create(p->tables, s->mailbox_transport_maps, TABLE_FOLD | TABLE_NO_SUBST);
	p->fallback_transport_maps =
	    table_list_create(p->tables, s->fallback_transport_maps, TABLE_FOLD | TABLE_NO_SUBST);
	p->mailbox_command_maps =
	    table_list_create(p->tables, s->mailbox_command_maps,
			      TABLE_FOLD | TABLE_NO_SUBST | TABLE_TRUSTED);
	open_aliases(p, arena);
}

/* import_environment - export_environment: NAME keeps what is there, NAME=VALUE sets it. */
static void import_environment(struct local *p, struct arena *arena)
{
	struct slice rest = p->settings->export_environment, name, value;
	char **list = ARENA_ARRAY(arena, environment_count(rest) + 1, char *);
	size_t count = 0;

	while (environment_next(&rest, arena, &name, &value))
		list[count++] = (char *)arena_printf(arena, "%.*s=%.*s", SL_ARG(name), SL_ARG(value)).p;
	p->import_environment = list;
}

/* file_host - a host's name as maildir wants it in names of files. */
static struct slice file_host(struct arena *arena)
{
	struct slice name = os_host_name(arena);
	struct buffer out;
	struct slice made;

	buffer_init(&out, 1024);
	for (size_t i = 0; i < name.n; i++) {
		if (name.p[i] == '/' || name.p[i] == ':')
			buffer_printf(&out, "\\%03o", (unsigned)name.p[i]);
		else
			buffer_append_byte(&out, name.p[i]);
	}
	made = arena_dup(arena, buffer_slice(&out));
	buffer_free(&out);
	return made;
}

static enum result check_settings(const struct local *p)
{
	const struct settings *s = p->settings;

	if (s->mailbox_size_limit > 0 &&
	    (s->message_size_limit == 0 || s->mailbox_size_limit < s->message_size_limit)) {
		LOG(fatal, .text = SL("configuration error: mailbox_size_limit is smaller than "
				      "message_size_limit"));
		return RES_PERM;
	}
	if (p->default_account.uid == 0) {
		LOG(fatal,
		    .text = SL("default_privs must name an account that exists and is not root's"));
		return RES_PERM;
	}
	return RES_OK;
}

static enum result local_open(struct daemon_context *context)
{
	const struct settings *s = context->settings;
	struct local *p = ARENA_NEW(context->arena, struct local);

	p->settings = s;
	(void)account_by_name(context->arena, s->default_privs, &p->default_account);
	if (check_settings(p) != RES_OK)
		return RES_PERM;
	open_tables(p, context->arena);
	import_environment(p, context->arena);
	p->allow_commands = kinds_in(s->allow_mail_to_commands);
	p->allow_files = kinds_in(s->allow_mail_to_files);
	p->propagate = kinds_in(s->propagate_unmatched_extensions);
	p->delivered_to_command = list_has(s->prepend_delivered_header, SL("command"));
	p->delivered_to_file = list_has(s->prepend_delivered_header, SL("file"));
	p->delivered_to_forward = list_has(s->prepend_delivered_header, SL("forward"));
	p->locks = lock_rules_of(s);
	p->host = file_host(context->arena);
	p->file_calls = calls_find(privileges_find(SL("local-file"))->calls);
	if (p->file_calls == NULL) {
		LOG(fatal, .text = SL("cannot make the system call filter of deliveries"));
		return RES_TEMP;
	}
	os_zone_open();
	context->state = p;
	return RES_OK;
}

static void local_start(struct daemon_context *context)
{
	struct local *p = context->state;
	struct slice path =
	    arena_printf(context->arena, "public/%.*s", SL_ARG(p->settings->cleanup_service_name));

	p->cleanup = ipc_client_create(path.p, KEPT_CLEANUP_CONNECTIONS);
	daemon_watch_tables(context, p->tables);
}

/* ---- deliveries */

static void remember(struct map *known, struct arena *arena, struct slice body)
{
	struct address_list list;

	address_list_parse(arena, body, 0, &list);
	for (size_t i = 0; i < list.count; i++)
		map_put(known, arena_lower(arena, list.items[i].address), known);
}

/* read_head - the first bytes of the message. */
static struct slice read_head(const struct delivery_deliver *r, size_t most, struct buffer *text)
{
	size_t want = r->size < most ? (size_t)r->size : most;
	ssize_t n;

	buffer_reserve(text, want);
	n = want > 0 ? os_pread_full(r->content, text->data, want, (off_t)r->offset) : 0;
	return slice(text->data, n > 0 ? (size_t)n : 0);
}

/* delivered_to - the addresses that the message says it was delivered to before. */
static struct map *delivered_to(const struct agent_delivery *d)
{
	struct map *known = map_create();
	struct header_field field;
	struct slice head;
	struct buffer text;

	buffer_init(&text, HEAD_MAX);
	head = read_head(d->request, HEAD_USUAL, &text);
	if (slice_search(head, SL("\r\n\r\n")) < 0)
		head = read_head(d->request, HEAD_MAX, &text);
	while (header_next(&head, true, &field) == HEADER_FIELD)
		if (slice_caseeq(field.name, SL("Delivered-To")))
			remember(known, d->arena, field.body);
	buffer_free(&text);
	return known;
}

static void deliver(struct agent_delivery *d, void *own)
{
	struct map *known = delivered_to(d);

	for (size_t i = 0; i < d->request->recipients_count; i++)
		expand_recipient(d, own, i, known);
	map_destroy(&known);
}

static void idle(void *own, bool ended)
{
	struct local *p = own;

	kept_idle(&p->kept, ended);
}

static void local_session(struct daemon_context *context, struct daemon_session *session)
{
	static const struct agent agent = {.deliver = deliver, .idle = idle, .prompt = true};

	agent_session(context, session, &agent, context->state);
}

static const struct daemon local_daemon = {
    .name = "local",
    .open = local_open,
    .start = local_start,
    .session = local_session,
    .exit_when_idle = true,
    .stack = STACK_SIZE,
};

int main(int argc, char **argv)
{
	return daemon_main(argc, argv, &local_daemon);
}
