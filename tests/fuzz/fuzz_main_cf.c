/* SPDX-License-Identifier: ISC */
/* main.cf: any bytes give settings, or problems, and nothing else; values expand within their
 * limits. */
#include "base/check.h"
#include "config/database.h"
#include "config/environment.h"
#include "config/settings.h"
#include "config/usage.h"
#include "config/values.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check_list(struct slice list)
{
	struct slice word;
	size_t total = 0;

	while (settings_next_word(&list, &word))
		total += word.n;
	CHECK(total <= INT64_MAX);
}

/* check_usage - what is said of the names; no file of a table is opened. */
static void check_usage(const struct settings *settings, struct slice text, struct arena *arena)
{
	bool names_files = slice_search(text, SL(":/")) >= 0 || slice_search(text, SL(":.")) >= 0 ||
			   slice_search(text, SL("$")) >= 0;
	struct config_problems said;
	struct database_table table;
	struct master_cf none = {.count = 0};
	struct slice name, value, rest = text;
	struct usage usage;

	config_problems_init(&said, arena);
	usage_find(settings->values, SL("/cf/main.cf"), &none, arena, names_files ? NULL : &said, &usage);
	usage_unused(&usage, &said);
	usage_deprecated(&usage, &said);
	usage_without_effect(&usage, &said);
	usage_restrictions(&usage, &said);
	CHECK(said.fatal == 0);
	usage_free(&usage);
	while (database_next(&rest, &table))
		CHECK(table.name.n > 0 && database_parameters(table.type).n > 0);
	rest = text;
	while (environment_next(&rest, arena, &name, &value))
		CHECK(name.n > 0 && slice_find(name, '=') < 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct slice text = slice(data, n);
	struct arena *arena = arena_create();
	struct config_problems problems;
	struct settings *settings;
	struct slice expanded;
	enum result rc;

	config_problems_init(&problems, arena);
	rc = settings_parse(text, "/cf", NULL, 0, &problems, &settings);
	CHECK((rc == RES_OK) == (settings != NULL));
	CHECK((rc == RES_PERM) == (problems.fatal > 0));
	for (size_t i = 0; i < problems.count; i++)
		CHECK(config_problem_text(arena, &problems.items[i]).n > 0);
	if (settings) {
		/* Every given value can be asked for by name. */
		for (size_t i = 0; i < settings->values->count; i++)
			(void)settings_get(settings, settings->values->given[i].name, arena,
					   &expanded);
		check_usage(settings, text, arena);
		check_list(settings->mynetworks);
		check_list(settings->smtpd_recipient_restrictions);
		(void)settings_expand(settings, text, arena, &expanded);
		CHECK(settings_transport_int(settings, SL("relay"),
					     "destination_recipient_limit") >= 0);
	}
	settings_destroy(&settings);
	arena_destroy(&arena);
	return 0;
}
