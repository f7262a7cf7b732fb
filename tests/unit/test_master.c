/* SPDX-License-Identifier: ISC */
/* test_master - which services a configuration gives, and how many processes each may have. */
#include "tests/unit/unit.h"

#include "master/master.h"
#include "os/process.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct place {
	char dir[64];
	struct arena *arena;
	struct config_problems problems;
	struct configuration *conf;
};

static void put(const struct place *p, const char *name, const char *text, mode_t mode)
{
	int fd = open(arena_printf(p->arena, "%s/%s", p->dir, name).p,
		      O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static void place_open(struct place *p, const char *main_cf, const char *master_cf)
{
	static const char *const programs[] = {"smtpd", "cleanup",  "qmgr",	"local",
					       "smtp",	"resolver", "postlogd", "postdrop"};

	*p = (struct place){.arena = arena_create()};
	snprintf(p->dir, sizeof(p->dir), "/tmp/postrider-unit-XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++)
		put(p, programs[i], "#!/bin/sh\n", 0755);
	put(p, "main.cf",
	    arena_printf(p->arena, "compatibility_level = 3.6\ndaemon_directory = %s\n%s", p->dir,
			 main_cf)
		.p,
	    0644);
	put(p, "master.cf", master_cf, 0644);
	config_problems_init(&p->problems, p->arena);
}

static void place_close(struct place *p)
{
	char command[128];

	configuration_destroy(&p->conf);
	arena_destroy(&p->arena);
	snprintf(command, sizeof(command), "rm -r %s", p->dir);
	assert_int_equal(system(command), 0);
}

static enum result load(struct place *p)
{
	return configuration_load(p->dir, &p->problems, &p->conf);
}

static const struct master_service *find(const struct place *p, const char *name,
					 enum service_type type)
{
	return master_cf_find(&p->conf->cf, slice_str(name), type);
}

static void test_foreign_master_cf(void **state)
{
	struct place p;

	(void)state;
	place_open(&p, "",
		   "smtp inet n - y - - smtpd\n"
		   "cleanup unix n - y - 0 cleanup\n"
		   "tlsmgr unix - - y 1000? 1 tlsmgr\n"
		   "maildrop unix - n n - - pipe\n"
		   "odd unix - - n - - postdrop\n");
	assert_int_equal(load(&p), RES_OK);
	assert_non_null(find(&p, "smtp", SERVICE_INET));
	assert_non_null(find(&p, "cleanup", SERVICE_UNIX));
	/* needless, missing, and no daemon at all: left out, and each is named with its line */
	assert_null(find(&p, "tlsmgr", SERVICE_UNIX));
	assert_null(find(&p, "maildrop", SERVICE_UNIX));
	assert_null(find(&p, "odd", SERVICE_UNIX));
	assert_int_equal(p.problems.count, 3);
	assert_int_equal(p.problems.fatal, 0);
	assert_int_equal(p.problems.items[0].line, 3);
	assert_int_equal(p.problems.items[1].line, 4);
	assert_int_equal(p.problems.items[2].line, 5);
	/* added: the resolver; no log file, no postlog */
	assert_non_null(find(&p, "resolver", SERVICE_UNIX));
	assert_true(find(&p, "resolver", SERVICE_UNIX)->private);
	assert_null(find(&p, "postlog", SERVICE_UNIX_DGRAM));
	place_close(&p);
}

static void test_postlog_is_added(void **state)
{
	struct place p;

	(void)state;
	place_open(&p, "maillog_file = /dev/stdout\n", "resolver unix - - n - 1 resolver\n");
	assert_int_equal(load(&p), RES_OK);
	assert_non_null(find(&p, "postlog", SERVICE_UNIX_DGRAM));
	assert_false(find(&p, "postlog", SERVICE_UNIX_DGRAM)->private);
	assert_int_equal(p.conf->cf.count, 2);
	place_close(&p);
}

static void test_broken_files(void **state)
{
	struct place p;

	(void)state;
	place_open(&p, "max_idle = soon\n", "");
	assert_int_equal(load(&p), RES_PERM);
	assert_null(p.conf);
	assert_true(p.problems.fatal > 0);
	place_close(&p);
	place_open(&p, "", "smtp inet n - y smtpd\n");
	assert_int_equal(load(&p), RES_PERM);
	assert_null(p.conf);
	assert_int_equal(p.problems.items[0].line, 1);
	place_close(&p);
}

static size_t limit_of(const struct place *p, const char *name, enum service_type type)
{
	struct service s = {.cf = find(p, name, type)};

	assert_non_null(s.cf);
	s.row = privileges_find(s.cf->command);
	return service_process_limit(&s);
}

static void test_process_limits(void **state)
{
	size_t cores = (size_t)os_processor_count();
	struct place p;

	(void)state;
	place_open(&p, "default_process_limit = 7\n",
		   "25 inet n - y - - smtpd\n"
		   "26 inet n - y - 1 smtpd\n"
		   "cleanup unix n - y - 0 cleanup\n"
		   "qmgr unix n - y 300 5 qmgr\n"
		   "local unix - n n - - local\n"
		   "slow unix - n n - 2 local\n"
		   "any unix - n n - 0 local\n");
	assert_int_equal(load(&p), RES_OK);
	assert_int_equal(limit_of(&p, "26", SERVICE_INET), 1);
	assert_int_equal(limit_of(&p, "cleanup", SERVICE_UNIX), cores < 64 ? cores : 64);
	assert_int_equal(limit_of(&p, "qmgr", SERVICE_UNIX), 1);
	assert_int_equal(limit_of(&p, "local", SERVICE_UNIX), 7);
	assert_int_equal(limit_of(&p, "slow", SERVICE_UNIX), 2);
	assert_true(limit_of(&p, "any", SERVICE_UNIX) == SIZE_MAX);
	place_close(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_foreign_master_cf),
	    cmocka_unit_test(test_postlog_is_added),
	    cmocka_unit_test(test_broken_files),
	    cmocka_unit_test(test_process_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
