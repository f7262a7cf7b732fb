/* SPDX-License-Identifier: ISC */
#include "daemon/command.h"
#include "daemon/sandbox.h"

enum result command_confine(const char *row, const struct settings *settings, const char **what)
{
	const struct privileges *found = privileges_find(slice_str(row));
	struct sandbox_accounts accounts;
	struct sandbox sandbox;
	struct slice missing;

	*what = "row of schema/privileges";
	if (found == NULL || found->kind != KIND_COMMAND)
		return RES_PERM;
	*what = "mail_owner or setgid_group";
	if (sandbox_accounts(found, settings, &accounts, &missing) != RES_OK ||
	    sandbox_prepare(found, settings, &accounts, false, NULL, &sandbox, what) != RES_OK)
		return RES_PERM;
	return sandbox_enter(&sandbox, what);
}
