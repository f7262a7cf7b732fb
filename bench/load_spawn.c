/* SPDX-License-Identifier: ISC */
/* load_spawn - run a command many times, so many at once, a file on its input. */
#include "load.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static double seconds(struct timeval t)
{
	return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static pid_t start(const char *input, char **command)
{
	posix_spawn_file_actions_t files;
	pid_t pid;
	int bad;

	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, 0, input, O_RDONLY, 0);
	bad = posix_spawnp(&pid, command[0], &files, NULL, command, environ);
	posix_spawn_file_actions_destroy(&files);
	if (bad) {
		errno = bad;
		perror(command[0]);
		exit(1);
	}
	return pid;
}

/* spawn [-m times] [-s at once] -i input command [argument...] */
int load_spawn(int argc, char **argv)
{
	unsigned long times = 1, at_once = 1, started = 0, running = 0, failed = 0;
	const char *input = "/dev/null";
	struct rusage used;
	uint64_t begin;
	int c, status;

	while ((c = getopt(argc, argv, "+m:s:i:")) != -1)
		switch (c) {
		case 'm':
			times = number(optarg);
			break;
		case 's':
			at_once = number(optarg);
			break;
		case 'i':
			input = optarg;
			break;
		default:
			return 2;
		}
	if (optind >= argc)
		return 2;
	signal(SIGPIPE, SIG_DFL);
	begin = now();
	while (started < times || running > 0) {
		for (; started < times && running < at_once; started++, running++)
			start(input, argv + optind);
		if (wait(&status) < 0)
			break;
		running--;
		failed += status != 0;
	}
	getrusage(RUSAGE_CHILDREN, &used);
	printf("{\"failed\": %lu, \"seconds\": %.6f, \"cpu\": %.6f}\n", failed,
	       (double)(now() - begin) / 1e9, seconds(used.ru_utime) + seconds(used.ru_stime));
	return failed ? 1 : 0;
}
