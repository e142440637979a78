/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "names/path.h"
#include "no_leaks.h"

TestSuite(path_laws, .fini = no_leaks);

#define H    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define H0   "ffffffffffffffffffffffffffffffff00000000000000000000000000000000"
#define U    "8a3c71de-9f0c-4b5e-8d2a-0011223344ff"
#define U_   "8a3c71de_9f0c_4b5e_8d2a_0011223344ff"
#define HASH "9fdc5f34b2c1aa0b6c2f1e0d3c4b5a69"

static bool same(const struct path_name *a, const struct path_name *b)
{
	return a->class == b->class && a->qos == b->qos && !strcmp(a->runtime, b->runtime) &&
	       !strcmp(a->container_id, b->container_id) && !strcmp(a->pod_uid, b->pod_uid) &&
	       !strcmp(a->node_container, b->node_container) && !strcmp(a->vm, b->vm) &&
	       !strcmp(a->unit, b->unit);
}

static void check_laws(const char *path)
{
	struct path_name plain, slash, line;
	char text[4096];

	path_parse(path, &plain);
	snprintf(text, sizeof(text), "%s/", path);
	path_parse(text, &slash);
	cr_assert(same(&plain, &slash), "a trailing slash changes %s", path);
	snprintf(text, sizeof(text), "7:cpuacct,cpu:%s\n", path);
	path_parse(text, &line);
	cr_assert(same(&plain, &line), "a line of /proc changes %s", path);
	cr_assert(plain.class != PATH_CONTAINER || plain.container_id[0], "%s", path);
	cr_assert(plain.class == PATH_CONTAINER || !plain.container_id[0], "%s", path);
	cr_assert(eq(int, plain.class == PATH_VM, plain.vm[0] != '\0'), "a VM has a name: %s",
		  path);
	cr_assert(plain.unit[0] != '\0', "no unit in %s", path);
}

/* Pieces of real paths in any order: more of the grammar than random bytes would ever reach. */
Test(path_laws, hold_for_pieces_of_paths_in_any_order)
{
	static const char *const pieces[] = {
		H,
		H0,
		"docker",
		"docker-" H ".scope",
		"kubepods.slice",
		"kubepods",
		"lxc",
		"burstable",
		"libpod-conmon-" H,
		"ecs",
		"pod" U,
		"pod" HASH,
		"qemu.slice",
		"kata_overhead",
		".scope",
		"a.service",
		"..",
		"x:y:" H,
		"lxc.payload.n",
		"container",
		"kubepods-besteffort-pod" U_ ".slice",
		"machine-qemu\\x2d1\\x2d.scope",
		"machine-.scope",
		"systemd-nspawn@.service",
	};
	const size_t n = sizeof(pieces) / sizeof(pieces[0]);
	unsigned int seed = 1;

	for (int round = 0; round < 20000; round++) {
		char path[2048] = "";
		size_t len = 0;

		for (int i = 0, depth = 1 + rand_r(&seed) % 8; i < depth; i++)
			len += (size_t)snprintf(path + len, sizeof(path) - len, "/%s",
						pieces[(size_t)rand_r(&seed) % n]);
		check_laws(path);
	}
}
