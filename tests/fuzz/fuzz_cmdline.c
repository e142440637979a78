/* SPDX-License-Identifier: Apache-2.0 */
/* Command lines: whoever starts a process chooses what it says about virtual machines. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "names/vm.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Not assert(): the law must hold in every build. */
static void require(int truth)
{
	if (!truth)
		abort();
}

static void check_uuid(const char *uuid)
{
	require(strlen(uuid) == 0 || strlen(uuid) == 36);
	require(strspn(uuid, "0123456789abcdefABCDEF-") == strlen(uuid));
	for (size_t i = 0; uuid[i]; i++)
		require((uuid[i] == '-') == (i == 8 || i == 13 || i == 18 || i == 23));
}

static void check(const struct vm_facts *facts, const char *text, size_t size)
{
	require(memchr(facts->name, 0, sizeof(facts->name)) != NULL);
	require(memchr(facts->uuid, 0, sizeof(facts->uuid)) != NULL);
	require(!strcmp(facts->hypervisor, "qemu") || !strcmp(facts->hypervisor, "firecracker") ||
		!strcmp(facts->hypervisor, "cloud-hypervisor"));
	check_uuid(facts->uuid);
	/* Nothing is made up: names stand in the text, but for commas that were escaped. */
	if (facts->name[0] && !strchr(facts->name, ','))
		require(memmem(text, size, facts->name, strlen(facts->name)) != NULL);
	require(!facts->uuid[0] || memmem(text, size, facts->uuid, 36) != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vm_facts facts, again;
	/* "/x/" before, a NUL and a word behind; of that very size, so that a step too far shows.
	 */
	char *exact = malloc(size ? size : 1), *longer = malloc(size + 8);
	int is;

	if (!exact || !longer) {
		free(exact);
		free(longer);
		return 0;
	}
	memcpy(exact, data, size);
	memset(&facts, 0x5a, sizeof(facts));
	memset(&again, 0x5a, sizeof(again));
	is = vm_of_cmdline(exact, size, &facts);
	if (is)
		check(&facts, exact, size);
	else
		require(!memcmp(&facts, &again, sizeof(facts)));

	/* A program is known wherever it lies. */
	memcpy(longer, "/x/", 3);
	memcpy(longer + 3, data, size);
	require(vm_of_cmdline(longer, size + 3, &again) == is || size == 0);
	require(!is || !memcmp(&facts, &again, sizeof(facts)));
	/* An interpreter that runs it is not it. */
	memcpy(longer, "sh\0", 3);
	require(!vm_of_cmdline(longer, size + 3, &again));
	free(exact);
	free(longer);
	return 0;
}
