/* SPDX-License-Identifier: Apache-2.0 */
/* Owners: names of pods come from whoever may make pods, and those of controllers likewise. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "names/owner.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Not assert(): the law must hold in every build. */
static void require(int truth)
{
	if (!truth)
		abort();
}

static int is_one_of(const char *text, const char *const *words)
{
	while (*words && strcmp(text, *words))
		words++;
	return *words != NULL;
}

/* How a name is cut: it begins as it did, and in a buffer of the size that is meant for it, only
 * what no name may be longer than is missing. */
static void require_start_of(const char *name, const char *whole, size_t size)
{
	size_t len = strlen(name);

	require(!strncmp(name, whole, len));
	require(size == 0 || len < size);
	require(whole[len] == '\0' || whole[len] == '-' || len + 4 >= size);
}

static void check_guess(const char *pod, char *buf, size_t size)
{
	static const char *const kinds[] = { "deployment", "statefulset", "daemonset",
					     "cronjob",    "pod",         NULL };
	struct workload guess = owner_guess(pod, buf, size), again;
	char other[POD_MAX_TEXT + 1];

	require(guess.derived);
	require(is_one_of(guess.kind, kinds));
	require_start_of(guess.name, pod, size);
	/* A name that was not made by Kubernetes is not taken apart. */
	if (pod[strspn(pod, "abcdefghijklmnopqrstuvwxyz0123456789-.")])
		require(!strcmp(guess.kind, "pod"));
	if (size < sizeof(other))
		return;
	again = owner_guess(pod, other, sizeof(other));
	require(guess.kind == again.kind && !strcmp(guess.name, again.name));
	/* A pod is its own workload only under its whole name. */
	if (!strcmp(guess.kind, "pod") && strlen(pod) <= POD_MAX_TEXT)
		require(!strcmp(guess.name, pod));
}

static void check_owner(const char *kind, const char *name, const char *hash, const char *pod,
			char *buf, size_t size)
{
	struct workload owner = owner_of(kind, name, hash, pod, buf, size);
	int itself = !*kind || !strcmp(kind, "Node");

	require(!owner.derived);
	require(*owner.kind != '\0');
	for (const char *c = owner.kind; *c; c++)
		require(*c < 'A' || *c > 'Z');
	require_start_of(owner.name, itself ? pod : name, size);
	if (!strcmp(owner.kind, "deployment") && strcasecmp(kind, "deployment"))
		require(!strcasecmp(kind, "replicaset") && *hash);
	if (!strcmp(owner.kind, "cronjob") && strcasecmp(kind, "cronjob"))
		require(!strcasecmp(kind, "job"));
}

/* Cut the input into strings at its newlines. */
static char *next_text(char **rest)
{
	char *text = strsep(rest, "\n");

	return text ? text : "";
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* Exactly as large as it is said to be, so that a sanitizer sees the byte behind it. */
	size_t room = size ? (data[0] & 1 ? POD_MAX_TEXT + 1 : data[0] / 2) : 0;
	char *text = malloc(size + 1), *buf = malloc(room ? room : 1), *rest = text;
	const char *kind, *name, *hash, *pod;

	if (text && buf && size) {
		memcpy(text, data + 1, size - 1);
		text[size - 1] = '\0';
		pod = next_text(&rest);
		kind = next_text(&rest);
		name = next_text(&rest);
		hash = next_text(&rest);
		check_guess(pod, buf, room);
		check_owner(kind, name, hash, pod, buf, room);
	}
	free(buf);
	free(text);
	return 0;
}
