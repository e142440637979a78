/* SPDX-License-Identifier: Apache-2.0 */
/* Cgroup paths: whoever may make a cgroup chooses what we read here. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "names/path.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Not assert(): the law must hold in every build. */
static void require(int truth)
{
	if (!truth)
		abort();
}

static int ends_with(const char *text, const char *end)
{
	size_t len = strlen(text), end_len = strlen(end);

	return len >= end_len && !strcmp(text + len - end_len, end);
}

static void check(const struct path_name *name)
{
	size_t uid_len = strlen(name->pod_uid);

	require(memchr(name->runtime, 0, sizeof(name->runtime)) != NULL);
	require(memchr(name->container_id, 0, sizeof(name->container_id)) != NULL);
	require(memchr(name->node_container, 0, sizeof(name->node_container)) != NULL);
	require(memchr(name->vm, 0, sizeof(name->vm)) != NULL);
	require(memchr(name->unit, 0, sizeof(name->unit)) != NULL);
	require(name->unit[0] != 0);
	require((name->class == PATH_CONTAINER) == (name->container_id[0] != 0));
	require((name->class == PATH_VM) == (name->vm[0] != 0));
	require(uid_len == 0 || uid_len == 32 || uid_len == 36);
	require(strspn(name->pod_uid, "0123456789abcdefABCDEF-") == uid_len);
	require(*path_qos_name(name->qos) || name->qos == QOS_NONE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* "12:x:" before, "/" behind, and the NUL. */
	char *line = malloc(size + 7), *path;
	struct path_name name, again;

	if (!line)
		return 0;
	memcpy(line, "12:x:", 5);
	path = line + 5;
	memcpy(path, data, size);
	path[size] = '\0';

	path_parse(path, &name);
	check(&name);
	/* The same cgroup as a line of /proc/PID/cgroup, and with a slash behind it. */
	if (path[0] == '/' && !ends_with(path, "\n")) {
		path_parse(line, &again);
		require(!memcmp(&name, &again, sizeof(name)));
	}
	if (path[0] == '/' && !ends_with(path, " (deleted)")) {
		memcpy(path + strlen(path), "/", 2);
		path_parse(path, &again);
		require(!memcmp(&name, &again, sizeof(name)));
	}
	free(line);
	return 0;
}
