/* SPDX-License-Identifier: ISC */
/* load - the bench's own generators: source, sink, idle, spawn (load.h). */
#include "load.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

unsigned long number(const char *text)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*text == '\0' || *end != '\0') {
		fprintf(stderr, "load: not a number: %s\n", text);
		exit(2);
	}
	return n;
}

void run_threads(unsigned count, void *(*body)(void *), void *arg)
{
	pthread_t *threads = calloc(count, sizeof(*threads));
	pthread_attr_t small;

	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, 256 * 1024);
	for (unsigned i = 0; i < count; i++)
		if (!threads || pthread_create(&threads[i], &small, body, arg) != 0)
			abort();
	for (unsigned i = 0; i < count; i++)
		pthread_join(threads[i], NULL);
	free(threads);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(int argc, char **argv);
	} modes[] = {
	    {"source", load_source},
	    {"sink", load_sink},
	    {"idle", load_idle},
	    {"spawn", load_spawn},
	};
	struct rlimit files;
	int status = 2;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGPIPE, SIG_IGN);
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	for (size_t i = 0; argc > 1 && i < sizeof(modes) / sizeof(*modes); i++)
		if (strcmp(argv[1], modes[i].name) == 0)
			status = modes[i].run(argc - 1, argv + 1);
	if (status == 2)
		fputs("usage: load source|sink|idle|spawn [options]; see the sources\n", stderr);
	return status;
}
