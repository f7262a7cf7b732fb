/* SPDX-License-Identifier: ISC */
#include "blocking/common/client_config.h"

#include "base/buffer.h"
#include "config/main_cf.h"
#include "config/parameter.h"
#include "config/settings.h"
#include "os/file.h"

#include <errno.h>
#include <limits.h>

/* No such file is larger. */
#define FILE_LIMIT ((off_t)1 << 20)

struct client_config {
	struct arena *arena;
	struct main_cf file;
	bool *used;			 /* one for each entry of the file */
	const struct settings *settings; /* NULL: it is a file */
	struct slice prefix;		 /* NAME in NAME_server_host */
	struct slice problem;
};

/* A value as it was found: where, for messages. */
struct found {
	struct slice value;
	unsigned line;
};

static bool find(struct client_config *config, const char *name, struct found *found)
{
	const struct main_cf_entry *entry;

	*found = (struct found){SL_NULL, 0};
	if (config->settings != NULL)
		return settings_get(
		    config->settings,
		    arena_printf(config->arena, "%.*s_%s", SL_ARG(config->prefix), name),
		    config->arena, &found->value);
	entry = main_cf_find(&config->file, slice_str(name));
	if (entry == NULL)
		return false;
	config->used[entry - config->file.entries] = true;
	*found = (struct found){entry->value, entry->line};
	return true;
}

/* place - "FILE, line 3: NAME", or "main.cf: PREFIX_NAME". */
static struct slice place(const struct client_config *config, const char *name, unsigned line)
{
	if (config->settings != NULL)
		return arena_printf(config->arena, "main.cf: %.*s_%s", SL_ARG(config->prefix),
				    name);
	if (line == 0)
		return arena_printf(config->arena, "%.*s: %s", SL_ARG(config->file.file), name);
	return arena_printf(config->arena, "%.*s, line %u: %s", SL_ARG(config->file.file), line,
			    name);
}

void client_config_reject(struct client_config *config, const char *name, const char *format, ...)
{
	struct found found;
	struct buffer text;
	struct slice what = SL("");
	va_list ap;

	if (!slice_is_null(config->problem))
		return;
	if (find(config, name, &found))
		what = arena_printf(config->arena, " = %.*s", SL_ARG(found.value));
	buffer_init(&text, 4096);
	va_start(ap, format);
	(void)buffer_vprintf(&text, format, ap);
	va_end(ap);
	config->problem =
	    arena_printf(config->arena, "%.*s%.*s: %.*s", SL_ARG(place(config, name, found.line)),
			 SL_ARG(what), SL_ARG(buffer_slice(&text)));
	buffer_free(&text);
}

struct slice client_config_problem(const struct client_config *config)
{
	return config->problem;
}

bool client_config_parse(struct slice text, struct slice file, struct arena *arena,
			 struct client_config **config, struct slice *why)
{
	struct config_problems problems;
	struct client_config *c = ARENA_NEW(arena, struct client_config);

	*config = NULL;
	config_problems_init(&problems, arena);
	main_cf_parse(text, arena_dup(arena, file), arena, &problems, &c->file);
	for (size_t i = 0; i < problems.count; i++)
		if (problems.items[i].fatal) {
			*why = config_problem_text(arena, &problems.items[i]);
			return false;
		}
	c->arena = arena;
	c->used = ARENA_ARRAY(arena, c->file.count + 1, bool);
	*config = c;
	return true;
}

/* read_file - all of it, as this process may. */
static bool read_file(const char *path, struct arena *arena, struct slice *text, struct slice *why)
{
	int fd = os_openat(AT_FDCWD, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
	struct stat st;
	bool good = false;
	ssize_t got;
	char *data;

	if (fd < 0) {
		*why = arena_printf(arena, "open %s: %s", path, strerror(errno));
		return false;
	}
	if (os_fstat(fd, &st) < 0)
		*why = arena_printf(arena, "%s: %s", path, strerror(errno));
	else if (!S_ISREG(st.st_mode))
		*why = arena_printf(arena, "%s is not a regular file", path);
	else if (st.st_size > FILE_LIMIT)
		*why = arena_printf(arena, "%s is larger than %lld bytes", path,
				    (long long)FILE_LIMIT);
	else
		good = true;
	if (good) {
		data = arena_alloc(arena, (size_t)st.st_size + 1);
		got = os_pread_full(fd, data, (size_t)st.st_size, 0);
		good = got >= 0;
		if (good)
			*text = slice(data, (size_t)got);
		else
			*why = arena_printf(arena, "read %s: %s", path, strerror(errno));
	}
	os_close(fd);
	return good;
}

bool client_config_open(const struct settings *settings, struct slice name, struct arena *arena,
			struct client_config **config, struct slice *why)
{
	struct slice text;
	const char *path;

	*config = NULL;
	if (name.n == 0 || (name.p[0] != '/' && name.p[0] != '.')) {
		if (settings == NULL || name.n == 0) {
			*why = arena_printf(
			    arena, "\"%.*s\" is not the name of a file (need /path/to/file)",
			    SL_ARG(name));
			return false;
		}
		*config = ARENA_NEW(arena, struct client_config);
		**config = (struct client_config){
		    .arena = arena, .settings = settings, .prefix = arena_dup(arena, name)};
		return true;
	}
	path = arena_str(arena, name);
	if (path == NULL) {
		*why = SL("a file name with a NUL byte");
		return false;
	}
	return read_file(path, arena, &text, why) &&
	       client_config_parse(text, name, arena, config, why);
}

struct slice client_config_source(const struct client_config *config)
{
	if (config->settings != NULL)
		return arena_printf(config->arena, "main.cf parameters %.*s_*",
				    SL_ARG(config->prefix));
	return config->file.file;
}

struct slice client_config_path(const struct client_config *config)
{
	return config->settings != NULL ? SL_NULL : config->file.file;
}

bool client_config_has(const struct client_config *config, const char *name)
{
	if (config->settings != NULL)
		return settings_has(config->settings, arena_printf(config->arena, "%.*s_%s",
								   SL_ARG(config->prefix), name));
	return main_cf_find(&config->file, slice_str(name)) != NULL;
}

struct slice client_config_text(struct client_config *config, const char *name,
				const char *fallback)
{
	struct found found;

	if (!find(config, name, &found))
		return slice_str(fallback);
	if (slice_find(found.value, '\0') >= 0)
		client_config_reject(config, name, "a NUL byte in the value");
	return found.value;
}

int client_config_number(struct client_config *config, const char *name, int fallback, int min,
			 int max)
{
	struct found found;
	int64_t value;

	if (!find(config, name, &found))
		return fallback;
	if (slice_i64(found.value, &value) && value >= min && value <= max)
		return (int)value;
	if (max == INT_MAX)
		client_config_reject(config, name, "bad number: %d or more is allowed", min);
	else
		client_config_reject(config, name, "bad number: %d to %d is allowed", min, max);
	return fallback;
}

bool client_config_bool(struct client_config *config, const char *name, bool fallback)
{
	struct found found;
	bool value;

	if (!find(config, name, &found))
		return fallback;
	if (parameter_bool(found.value, config->arena, &value) == NULL)
		return value;
	client_config_reject(config, name, "yes or no is allowed");
	return fallback;
}

int64_t client_config_time(struct client_config *config, const char *name, int64_t fallback,
			   char unit)
{
	struct parameter p = {.type = PARAM_TIME, .unit = unit, .min = 0, .max = INT64_MAX / 2};
	struct found found;
	int64_t value;

	if (!find(config, name, &found))
		return fallback;
	if (parameter_time(&p, found.value, config->arena, &value) == NULL)
		return value;
	client_config_reject(config, name, "a time such as 5, 10s or 1m30s is allowed");
	return fallback;
}

const struct slice *client_config_words(struct client_config *config, const char *name,
					const char *fallback, size_t *count)
{
	struct slice rest = client_config_text(config, name, fallback), word;
	struct slice look = rest, *words;
	size_t n = 0;

	while (settings_next_word(&look, &word))
		n++;
	words = ARENA_ARRAY(config->arena, n + 1, struct slice);
	*count = 0;
	while (*count < n && settings_next_word(&rest, &word))
		words[(*count)++] = arena_dup(config->arena, word);
	return words;
}

bool client_config_unused(const struct client_config *config, size_t *cursor, struct slice *name,
			  unsigned *line)
{
	if (config->settings != NULL)
		return false;
	for (size_t i = *cursor; i < config->file.count; i++) {
		if (config->used[i])
			continue;
		*cursor = i + 1;
		*name = config->file.entries[i].name;
		*line = config->file.entries[i].line;
		return true;
	}
	return false;
}
