/* SPDX-License-Identifier: ISC */
/* postsuper - the parts of postsuper(1): what is ordered, and who carries it out. */
#ifndef COMMANDS_POSTSUPER_H
#define COMMANDS_POSTSUPER_H

#include "commands/command.h"
#include "ipc/qmgr.h"
#include "os/clock.h"
#include "queue/queue.h"

/* One queue manager follows another within that. */
#define CHANGE_PATIENCE (10 * OS_SECOND)
#define CHANGE_PAUSE (100 * OS_MILLISECOND)

/* One -d, -e, -f, -h, -H or -r with what it is for. */
struct order {
	enum qmgr_control op;
	bool asked;
	bool all;
	struct queue_id *ids;
	struct slice *names; /* as given: a message in maildrop may have another form of name */
	size_t count;
	size_t size;
};

struct postsuper {
	struct command command;
	int queue_fd;
	struct order orders[QMGR_CONTROL_LAST + 1];
	uint32_t queues; /* named on the command line; 0: none */
	bool maildrop;   /* named there */
	bool named;
	bool pretend; /* -n: only tell */
	uint64_t done[QMGR_CONTROL_LAST + 1];
	struct queue *queue; /* ours, while qmgr does not run */
	struct queue_entry *found;
	size_t found_count;
	size_t found_size;
};

/* postsuper_done - one message: counted, and told. */
void postsuper_done(struct postsuper *ps, enum qmgr_control op, struct slice id);
/*
 * postsuper_ask - have qmgr, at this path, do it. False: it does not run. One that is being replaced (reload) answers no
 * more, and its successor is asked: what is done already is not there any more, or is done twice without harm.
 */
bool postsuper_ask(struct postsuper *ps, struct slice path, const struct order *o);
/* postsuper_act - do it, while no qmgr runs: as the owner of the queue, who is given up in postsuper_leave. */
void postsuper_act(struct postsuper *ps, const struct order *o);
void postsuper_leave(struct postsuper *ps);

#endif
