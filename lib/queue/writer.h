/* SPDX-License-Identifier: ISC */
/* queue/writer - what writer.c and large.c share. Internal to lib/queue. */
#ifndef QUEUE_WRITER_H
#define QUEUE_WRITER_H

#include "queue/segment.h"

#include <pthread.h>

struct queue_writer {
	int journal, large;
	uint64_t segment_size, large_limit;

	pthread_mutex_t commit_lock; /* all below, up to id_lock */
	int fd;                      /* of the present segment; -1: none */
	struct segment_header segment;
	uint64_t at;               /* where the next record goes */
	struct segment_void ended; /* failed segment that the next header must name */
	int ended_fd;              /* keeps its lock until then; -1: none */

	pthread_mutex_t id_lock;
	uint64_t id_serial; /* the first segment's: no other writer ever has it */
	int64_t id_time;    /* of the last id */
};

#endif
