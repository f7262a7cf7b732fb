/* SPDX-License-Identifier: ISC */
/* catalog - the tables that a configuration names and that are not local. */
#ifndef PROXYMAP_CATALOG_H
#define PROXYMAP_CATALOG_H

#include "base/arena.h"
#include "base/slice.h"

struct settings;

/*
 * catalog_visit - each "type:name" (without "proxy:") in the expanded value of a parameter that
 * main.cf gives, or of an -o of DIR/master.cf, wherever in the value it stands; some several times.
 */
void catalog_visit(const struct settings *settings, const char *dir,
		   void (*visit)(void *arg, struct slice table), void *arg);
/* catalog_scan - the same of one value. */
void catalog_scan(struct slice value, void (*visit)(void *arg, struct slice table), void *arg);

#endif
