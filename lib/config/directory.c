/* SPDX-License-Identifier: ISC */
#include "config/directory.h"

#include "config/settings.h"

static bool listed(struct slice list, struct slice dir)
{
	struct slice word;

	while (settings_next_word(&list, &word))
		if (slice_eq(word, dir))
			return true;
	return false;
}

bool config_directory_listed(const char *default_dir, const char *dir)
{
	struct arena *arena = arena_create();
	struct config_problems ignored;
	struct settings *settings;
	bool found = false;

	config_problems_init(&ignored, arena);
	if (settings_load(default_dir, NULL, 0, &ignored, &settings) == RES_OK) {
		found = listed(settings->alternate_config_directories, slice_str(dir)) ||
			listed(settings->multi_instance_directories, slice_str(dir));
		settings_destroy(&settings);
	}
	arena_destroy(&arena);
	return found;
}

enum result config_directory_for(const char *option, const char *environment, bool guarded,
				 struct config_problems *problems, const char **dir)
{
	*dir = option ? option : environment ? environment : CONFIG_DIRECTORY;
	if (!guarded || strcmp(*dir, CONFIG_DIRECTORY) == 0 ||
	    config_directory_listed(CONFIG_DIRECTORY, *dir))
		return RES_OK;
	config_problem_add(problems, true, slice_str(*dir), 0, SL_NULL,
			   "not allowed as configuration directory: " CONFIG_DIRECTORY
			   "/main.cf must list it in alternate_config_directories or "
			   "multi_instance_directories");
	return RES_PERM;
}
