/* SPDX-License-Identifier: Apache-2.0 */
/* Names and numbers of a powercap tree: what is accepted can be printed and read back. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "energy/powercap_scan.h"
#include "platform/scope.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

static void check_name(const char *text)
{
	struct zone_name name = { .package = -77 }, again;
	char printed[64];

	if (zone_name_parse(text, &name) < 0) {
		check(name.package == -77);
		return;
	}
	if (name.kind != ZONE_PACKAGE)
		snprintf(printed, sizeof(printed), "%s", zone_kind_name(name.kind));
	else if (name.die < 0)
		snprintf(printed, sizeof(printed), "package-%d", name.package);
	else
		snprintf(printed, sizeof(printed), "package-%d-die-%d", name.package, name.die);
	check(zone_name_parse(printed, &again) == 0);
	check(again.kind == name.kind && again.package == name.package && again.die == name.die);
}

static void check_dir(const char *text)
{
	struct zone_dir dir = { .sub = -77 }, again;
	char printed[64];

	if (zone_dir_parse(text, &dir) < 0) {
		check(dir.sub == -77);
		return;
	}
	/* It has to fit where the scan keeps it. */
	check(strlen(text) < sizeof(((struct powercap_zone *)0)->dir_name));
	snprintf(printed, sizeof(printed), "intel-rapl%s:%u", dir.mmio ? "-mmio" : "", dir.index);
	if (dir.sub >= 0)
		snprintf(printed + strlen(printed), 16, ":%d", dir.sub);
	check(zone_dir_parse(printed, &again) == 0);
	check(again.mmio == dir.mmio && again.index == dir.index && again.sub == dir.sub);
}

static void check_counter(const uint8_t *data, size_t size)
{
	static int fd = -1;
	uint64_t value = 77, again;
	char printed[32];

	if (fd < 0)
		fd = memfd_create("counter", MFD_CLOEXEC);
	check(fd >= 0 && ftruncate(fd, 0) == 0);
	check(pwrite(fd, data, size, 0) == (ssize_t)size);
	if (powercap_read_uj(fd, &value) < 0) {
		check(value == 77);
		return;
	}
	snprintf(printed, sizeof(printed), "%" PRIu64 "\n", value);
	check(ftruncate(fd, 0) == 0);
	check(pwrite(fd, printed, strlen(printed), 0) == (ssize_t)strlen(printed));
	check(powercap_read_uj(fd, &again) == 0 && again == value);
	/* A counter that never reaches its range is one that wraps at most there. */
	check(!value || zone_wrap_uj(value) == 0 || zone_wrap_uj(value) > value);
}

/* The first byte says what the rest is. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_free_ char *text = size ? strndup((const char *)data + 1, size - 1) : NULL;

	if (!text)
		return 0;
	switch (data[0]) {
	case 'n':
		check_name(text);
		return 0;
	case 'd':
		check_dir(text);
		return 0;
	default:
		check_counter(data + 1, size - 1);
		return 0;
	}
}
