/* SPDX-License-Identifier: ISC */
/* serve - the callers of proxymap: many lookups in flight on a connection, a fiber each. */
#ifndef PROXYMAP_SERVE_H
#define PROXYMAP_SERVE_H

#include "blocking/proxymap/serving.h"

struct callers;

/* callers_create - in a fiber or before. In the arena. */
struct callers *callers_create(struct serving *serving, struct arena *arena);
/* callers_serve - one connection, until it closes or the fiber is cancelled; takes the descriptor
 * over. */
void callers_serve(struct callers *callers, int fd);
/* callers_busy - lookups that are under way. */
size_t callers_busy(const struct callers *callers);

#endif
