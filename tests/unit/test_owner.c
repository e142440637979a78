/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>
#include <string.h>

#include "names/owner.h"
#include "no_leaks.h"
#include "platform/scope.h"

TestSuite(owner, .fini = no_leaks);

#define ALPHABET "bcdfghjklmnpqrstvwxz2456789" /* of Kubernetes' random names */

static char buf[POD_MAX_TEXT + 1];

static void expect(struct workload got, const char *kind, const char *name, bool derived)
{
	cr_expect(eq(str, (char *)got.kind, (char *)kind), "%s", name);
	cr_expect(eq(str, (char *)got.name, (char *)name), "%s", name);
	cr_expect(eq(int, got.derived, derived), "%s", name);
}

static void expect_of(const char *kind, const char *name, const char *hash, const char *want_kind,
		      const char *want_name)
{
	expect(owner_of(kind, name, hash, "the-pod", buf, sizeof(buf)), want_kind, want_name,
	       false);
}

static void expect_guess(const char *pod, const char *want_kind, const char *want_name)
{
	expect(owner_guess(pod, buf, sizeof(buf)), want_kind, want_name, true);
}

Test(owner, of_a_replica_set_is_the_deployment_that_hashed_it)
{
	expect_of("ReplicaSet", "web-7d4b9c6f5d", "7d4b9c6f5d", "deployment", "web");
	expect_of("ReplicaSet", "my-web-v2-abc", "abc", "deployment", "my-web-v2");
	expect_of("ReplicaSet", "web-7d4b9c6f5d", "", "replicaset", "web-7d4b9c6f5d");
	expect_of("ReplicaSet", "web-7d4b9c6f5d", NULL, "replicaset", "web-7d4b9c6f5d");
	expect_of("ReplicaSet", "web-7d4b9c6f5d", "other", "replicaset", "web-7d4b9c6f5d");
	expect_of("ReplicaSet", "web7d4b9c6f5d", "7d4b9c6f5d", "replicaset", "web7d4b9c6f5d");
	expect_of("ReplicaSet", "-7d4b9c6f5d", "7d4b9c6f5d", "replicaset", "-7d4b9c6f5d");
	expect_of("ReplicaSet", "7d4b9c6f5d", "7d4b9c6f5d", "replicaset", "7d4b9c6f5d");
}

Test(owner, of_a_job_is_the_cron_job_that_timed_it)
{
	expect_of("Job", "backup-29412345", "", "cronjob", "backup");
	expect_of("Job", "backup-20000000", "", "cronjob", "backup");
	expect_of("Job", "backup-99999999", "", "cronjob", "backup");
	expect_of("Job", "backup-1767261600", "", "cronjob", "backup");
	expect_of("Job", "backup-19999999", "", "job", "backup-19999999");
	expect_of("Job", "backup-294123456", "", "job", "backup-294123456");
	expect_of("Job", "backup-0767261600", "", "job", "backup-0767261600");
	expect_of("Job", "backup-2941234", "", "job", "backup-2941234");
	expect_of("Job", "backup-17672616001", "", "job", "backup-17672616001");
	expect_of("Job", "backup", "", "job", "backup");
	expect_of("Job", "-29412345", "", "job", "-29412345");
}

Test(owner, else_is_the_controller_in_lower_case)
{
	expect_of("StatefulSet", "db", "", "statefulset", "db");
	expect_of("DaemonSet", "agent", "", "daemonset", "agent");
	expect_of("ReplicationController", "rc", "", "replicationcontroller", "rc");
	expect_of("Rollout", "web", "", "rollout", "web");
	expect_of("VirtualMachineInstance", "vm-1", "", "virtualmachineinstance", "vm-1");
	/* What ends like a time or a hash does so by chance. */
	expect_of("StatefulSet", "db-29412345", "29412345", "statefulset", "db-29412345");
}

Test(owner, of_a_pod_without_a_controller_is_the_pod)
{
	expect_of("", "", "", "pod", "the-pod");
	expect_of(NULL, NULL, NULL, "pod", "the-pod");
	/* A static pod belongs to its machine, which says nothing. */
	expect_of("Node", "node-1", "", "pod", "the-pod");
}

Test(owner, of_a_kind_that_finds_no_room_is_other)
{
	static char name[POD_MAX_TEXT + 1];

	memset(name, 'n', sizeof(name) - 1);
	expect_of("Custom", name, "", "other", name);
	name[sizeof(buf) - sizeof("custom") - 1] = '\0';
	expect_of("Custom", name, "", "custom", name);
	expect_of("ReplicaSet", name, "", "replicaset", name);
}

static uint64_t next(uint64_t *state)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return *state >> 33;
}

static void append(uint64_t *state, char *text, const char *letters, size_t least, size_t most)
{
	size_t at = strlen(text), n = least + next(state) % (most - least + 1);

	for (size_t i = 0; i < n; i++)
		text[at + i] = letters[next(state) % strlen(letters)];
	text[at + n] = '\0';
}

/* A name as people choose them; its vowel tells it from what a controller makes up. */
static void choose_name(uint64_t *state, char *ret)
{
	ret[0] = '\0';
	append(state, ret, "abcxyz0189", 1, 1);
	append(state, ret, "abcdefgxyz0189-.", 0, 20);
	append(state, ret, "aeiou", 1, 1);
}

/* The same word from both sides: what controllers make of a name, the guess takes apart again. */
Test(owner, is_guessed_from_every_name_that_controllers_make)
{
	uint64_t state = 17;

	for (int round = 0; round < 3000; round++) {
		char name[64], pod[128];

		choose_name(&state, name);
		snprintf(pod, sizeof(pod), "%s-", name);
		append(&state, pod, ALPHABET, 7, 9);
		/* A letter: eight digits would be a time. */
		append(&state, pod, "bcdf", 1, 1);
		append(&state, pod, "-", 1, 1);
		append(&state, pod, ALPHABET, 5, 5);
		expect_guess(pod, "deployment", name);

		snprintf(pod, sizeof(pod), "%s-%lu", name, (unsigned long)next(&state) % 10000);
		expect_guess(pod, "statefulset", name);

		snprintf(pod, sizeof(pod), "%s-%lu-", name,
			 20000000 + (unsigned long)next(&state) % 80000000);
		append(&state, pod, ALPHABET, 5, 5);
		expect_guess(pod, "cronjob", name);

		snprintf(pod, sizeof(pod), "%s-", name);
		append(&state, pod, ALPHABET, 5, 5);
		expect_guess(pod, "daemonset", name);

		expect_guess(name, "pod", name);
	}
}

Test(owner, is_guessed_with_care)
{
	static const char *const cases[][3] = {
		{ "web-7d4b9c6f5d-x2x9k", "deployment", "web" },
		{ "web-00001-deployment-7d4b9c6f5d-x2x9k", "deployment", "web-00001-deployment" },
		{ "db-0", "statefulset", "db" },
		{ "db-10", "statefulset", "db" },
		{ "db-01", "pod", "db-01" },
		{ "db-1000000", "pod", "db-1000000" },
		{ "db-11111", "statefulset", "db" },
		/* Five of the alphabet that happen to be digits. */
		{ "agent-24567", "daemonset", "agent" },
		{ "backup-29412345-x2x9k", "cronjob", "backup" },
		/* A hash could look like this one, but hardly ever does. */
		{ "backup-28888888-x2x9k", "cronjob", "backup" },
		{ "backup-1767261600-x2x9k", "cronjob", "backup" },
		{ "agent-x2x9k", "daemonset", "agent" },
		{ "pi-3-x2x9k", "daemonset", "pi-3" },
		{ "web-7d4b9c6-x2x9k", "daemonset", "web-7d4b9c6" },
		{ "7d4b9c6f5d-x2x9k", "daemonset", "7d4b9c6f5d" },
		{ "web-x2a9k", "pod", "web-x2a9k" },
		{ "web-x2x9kk", "pod", "web-x2x9kk" },
		{ "web--x2x9k", "pod", "web--x2x9k" },
		{ "Web-x2x9k", "pod", "Web-x2x9k" },
		{ "my_web-x2x9k", "pod", "my_web-x2x9k" },
		{ "-x2x9k", "pod", "-x2x9k" },
		{ "x2x9k", "pod", "x2x9k" },
		{ "x2x9k-", "pod", "x2x9k-" },
		{ "-", "pod", "-" },
		{ "", "pod", "" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		expect_guess(cases[i][0], cases[i][1], cases[i][2]);
	expect_guess(NULL, "pod", "");
}

/* Bytes behind the buffer stay as they are, whatever the names and however small it is. */
Test(owner, fits_into_any_buffer)
{
	static const char *const kinds[] = { "", "Node", "Job", "ReplicaSet", "Custom\xc3\xa9" };
	static const char *const names[] = { "", "web-abc", "a-29412345", "\xe2\x82\xac\xe2\x82",
					     "web-7d4b9c6f5d-x2x9k" };
	uint64_t state = 23;

	for (int round = 0; round < 20000; round++) {
		const char *kind = kinds[next(&state) % ARRAY_SIZE(kinds)];
		const char *name = names[next(&state) % ARRAY_SIZE(names)];
		size_t size = next(&state) % 40;
		struct workload owner;
		char small[64];

		memset(small, '#', sizeof(small));
		owner = round % 2 ? owner_guess(name, small, size)
				  : owner_of(kind, name, "abc", name, small, size);
		for (size_t i = size; i < sizeof(small); i++)
			cr_assert(eq(chr, small[i], '#'), "%s of %s in %zu", kind, name, size);
		cr_assert(ne(chr, *owner.kind, '\0'));
		cr_assert(zero(int, strncmp(name, owner.name, strlen(owner.name))),
			  "'%s' is how '%s' begins", owner.name, name);
	}
}
