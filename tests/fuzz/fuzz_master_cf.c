/* SPDX-License-Identifier: ISC */
/* master.cf: any bytes give services within their bounds, or problems. */
#include "base/check.h"
#include "config/master_cf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check_service(const struct master_cf *cf, const struct master_service *service)
{
	struct slice name, value;
	size_t at = 0;

	CHECK(master_cf_find(cf, service->name, service->type) != NULL);
	CHECK(service->command.n > 0 && service->wakeup >= 0 && service->process_limit >= 0);
	CHECK(service->type == SERVICE_INET ? service->port.n > 0
					    : slice_find(service->name, '/') < 0);
	for (int i = 0; i < MASTER_COLUMNS; i++)
		CHECK(service->columns[i].n > 0);
	while (master_service_override(service, &at, &name, &value))
		CHECK(name.n > 0 && slice_find(name, '=') < 0);
	CHECK(at <= service->arg_count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct arena *arena = arena_create();
	struct config_problems problems;
	struct master_cf cf;
	enum result rc;

	config_problems_init(&problems, arena);
	rc = master_cf_parse(slice(data, n), SL("/cf/master.cf"), NULL, arena, &problems, &cf);
	CHECK((rc == RES_OK) == (problems.fatal == 0));
	for (size_t i = 0; i < cf.count; i++)
		check_service(&cf, &cf.services[i]);
	arena_destroy(&arena);
	return 0;
}
