/* SPDX-License-Identifier: Apache-2.0 */
#include "account/ledger.h"
#include "platform/scope.h"

static const struct {
	int column;
	const char *name;
} columns[_ZONE_KIND_MAX] = {
	[ZONE_PACKAGE] = { COLUMN_PACKAGE, "package" },
	[ZONE_CORE] = { -1, NULL },
	[ZONE_UNCORE] = { -1, NULL },
	[ZONE_DRAM] = { COLUMN_DRAM, "dram" },
	[ZONE_PSYS] = { -1, NULL },
	[ZONE_GPU] = { COLUMN_GPU, "gpu" },
	[ZONE_PLATFORM] = { COLUMN_PLATFORM, "platform" },
};

int column_of(enum zone_kind kind)
{
	return (unsigned int)kind < _ZONE_KIND_MAX ? columns[kind].column : -1;
}

const char *column_name(enum column column)
{
	for (size_t i = 0; i < ARRAY_SIZE(columns); i++)
		if (columns[i].column == (int)column)
			return columns[i].name;
	return "?";
}
