/* SPDX-License-Identifier: ISC */
#include "config/parameter.h"

#include "base/ip.h"
#include "config/settings.h"

#define MICROSECONDS INT64_C(1000000)
#define TEMPLATE_PREFIX "transport_"

const struct parameter *parameter_find(struct slice name)
{
	size_t low = 0;
	size_t high = parameter_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = slice_cmp(name, parameter_slice(parameters[middle].name));

		if (order == 0)
			return &parameters[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

const struct parameter *parameter_find_template(struct slice name, struct slice *transport)
{
	for (size_t i = 0; i < parameter_count; i++) {
		struct slice suffix;

		if (!parameters[i].template)
			continue;
		/* "_destination_rate_delay", its underscore included */
		suffix = slice_from(parameter_slice(parameters[i].name), sizeof(TEMPLATE_PREFIX) - 2);
		if (name.n > suffix.n && slice_ends(name, suffix)) {
			/* NAME_destination_recipient_limit also ends in _recipient_limit. */
			const struct parameter *longer = NULL;

			*transport = slice_sub(name, 0, name.n - suffix.n);
			for (size_t j = 0; j < parameter_count && !longer; j++) {
				struct slice other = parameter_slice(parameters[j].name);

				if (!parameters[j].template || j == i)
					continue;
				other = slice_from(other, sizeof(TEMPLATE_PREFIX) - 2);
				if (other.n > suffix.n && name.n > other.n &&
				    slice_ends(name, other))
					longer = &parameters[j];
			}
			if (longer == NULL)
				return &parameters[i];
		}
	}
	return NULL;
}

const char *parameter_bool(struct slice text, struct arena *arena, bool *out)
{
	*out = slice_caseeq(text, SL("yes"));
	if (*out || slice_caseeq(text, SL("no")))
		return NULL;
	return arena_printf(arena, "bad boolean value \"%.*s\": yes or no is allowed", SL_ARG(text))
	    .p;
}

static const char *number_range(const struct parameter *p, struct arena *arena, struct slice text)
{
	if (p->max == INT64_MAX || p->max == INT32_MAX)
		return arena_printf(arena, "bad number \"%.*s\": %lld or more is allowed",
				    SL_ARG(text), (long long)p->min)
		    .p;
	return arena_printf(arena, "bad number \"%.*s\": %lld to %lld is allowed", SL_ARG(text),
			    (long long)p->min, (long long)p->max)
	    .p;
}

const char *parameter_int(const struct parameter *p, struct slice text, struct arena *arena,
			  int *out)
{
	int64_t value;

	if (!slice_i64(text, &value) || value < p->min || value > p->max || value > INT32_MAX)
		return number_range(p, arena, text);
	*out = (int)value;
	return NULL;
}

const char *parameter_size(const struct parameter *p, struct slice text, struct arena *arena,
			   uint64_t *out)
{
	uint64_t value;

	if (!slice_u64(text, &value) || value > (uint64_t)p->max || value < (uint64_t)p->min)
		return arena_printf(arena,
				    "bad size \"%.*s\": digits only are allowed (bytes), %lld "
				    "or more",
				    SL_ARG(text), (long long)p->min)
		    .p;
	*out = value;
	return NULL;
}

static int64_t unit_seconds(char unit)
{
	switch (ascii_lower(unit)) {
	case 's':
		return 1;
	case 'm':
		return 60;
	case 'h':
		return 3600;
	case 'd':
		return 86400;
	case 'w':
		return 604800;
	default:
		return 0;
	}
}

/* take_duration - digits and a unit off the front of *text; a missing unit is `unit`. */
static bool take_duration(struct slice *text, char unit, int64_t *out)
{
	size_t n = 0;
	uint64_t number;

	while (n < text->n && ascii_isdigit(text->p[n]))
		n++;
	if (!slice_u64(slice_sub(*text, 0, n), &number) || number > INT64_MAX)
		return false;
	*text = slice_from(*text, n);
	if (text->n > 0) {
		unit = text->p[0];
		*text = slice_from(*text, 1);
	}
	return unit_seconds(unit) > 0 &&
	       !__builtin_mul_overflow((int64_t)number, unit_seconds(unit) * MICROSECONDS, out);
}

static const char *time_range(const struct parameter *p, struct arena *arena, struct slice text)
{
	if (p->max == INT64_MAX)
		return arena_printf(arena, "bad time \"%.*s\": %llds or more is allowed",
				    SL_ARG(text), (long long)(p->min / MICROSECONDS))
		    .p;
	return arena_printf(arena, "bad time \"%.*s\": %llds to %llds is allowed", SL_ARG(text),
			    (long long)(p->min / MICROSECONDS), (long long)(p->max / MICROSECONDS))
	    .p;
}

const char *parameter_time(const struct parameter *p, struct slice text, struct arena *arena,
			   int64_t *out)
{
	struct slice rest = text;
	int64_t total = 0;

	do {
		int64_t part = 0;

		if (!take_duration(&rest, p->unit, &part) ||
		    __builtin_add_overflow(total, part, &total))
			return arena_printf(
				   arena,
				   "bad time \"%.*s\": numbers with the units s m h d w are "
				   "allowed, such as 30s or 1h30m",
				   SL_ARG(text))
			    .p;
	} while (rest.n > 0);
	if (total < p->min || total > p->max)
		return time_range(p, arena, text);
	*out = total;
	return NULL;
}

static bool word_in(struct slice word, struct slice words)
{
	struct slice one;

	while (slice_next(&words, " ", &one))
		if (slice_caseeq(one, word))
			return true;
	return false;
}

static const char *check_words(const struct parameter *p, struct slice text, struct arena *arena)
{
	struct slice rest = text;
	struct slice values = parameter_slice(p->values);
	struct slice word;

	if (values.n == 0)
		return NULL;
	if (p->type == PARAM_ENUM) {
		/* Empty stands for "not set" where the default is, or may become, empty. */
		struct slice initial = parameter_slice(p->initial);

		if (text.n == 0 ? initial.n == 0 || initial.p[0] == '$' : word_in(text, values))
			return NULL;
		return arena_printf(arena, "bad value \"%.*s\": one of these is allowed: %.*s",
				    SL_ARG(text), SL_ARG(values))
		    .p;
	}
	while (slice_next(&rest, ", \t\r\n", &word))
		if (!word_in(word, values))
			return arena_printf(arena, "bad word \"%.*s\": these are allowed: %.*s",
					    SL_ARG(word), SL_ARG(values))
			    .p;
	return NULL;
}

/* check_networks - what is meant as a network is one; files and tables are not looked into. */
static const char *check_networks(struct slice text, struct arena *arena)
{
	struct slice word;

	while (settings_next_word(&text, &word)) {
		enum ip_net_error error;
		struct ip_net net;

		while (slice_starts(word, SL("!")))
			word = slice_from(word, 1);
		if (!ip_net_is_meant(word))
			continue;
		error = ip_net_parse(word, &net);
		if (error != IP_NET_OK)
			return arena_printf(arena,
					    "bad network \"%.*s\": %s; ADDRESS, ADDRESS/BITS, [IPv6]/BITS, a host "
					    "name, .domain, /file or type:table is allowed",
					    SL_ARG(word), ip_net_error_text(error))
			    .p;
	}
	return NULL;
}

void parameter_store_fixed(const struct parameter *p, void *where)
{
	switch (p->type) {
	case PARAM_BOOL:
		*(bool *)where = p->number != 0;
		break;
	case PARAM_INT:
		*(int *)where = (int)p->number;
		break;
	case PARAM_SIZE:
		*(uint64_t *)where = (uint64_t)p->number;
		break;
	case PARAM_TIME:
		*(int64_t *)where = p->number;
		break;
	default:
		*(struct slice *)where = parameter_slice(p->initial);
	}
}

const char *parameter_store(const struct parameter *p, struct slice text, struct arena *arena,
			    void *where)
{
	switch (p->type) {
	case PARAM_BOOL:
		return parameter_bool(text, arena, where);
	case PARAM_INT:
		return parameter_int(p, text, arena, where);
	case PARAM_SIZE:
		return parameter_size(p, text, arena, where);
	case PARAM_TIME:
		return parameter_time(p, text, arena, where);
	case PARAM_NETWORKS:
		*(struct slice *)where = arena_dup(arena, text);
		return check_networks(text, arena);
	case PARAM_STRING:
	case PARAM_LIST:
	case PARAM_TABLES:
	case PARAM_RESTRICTIONS:
	case PARAM_PATH:
	case PARAM_ENUM:
	case PARAM_RAW:
		break;
	}
	*(struct slice *)where = arena_dup(arena, text);
	return check_words(p, text, arena);
}
