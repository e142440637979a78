/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <sys/prctl.h>

#include "local_node.h"
#include "names/local_asks.h"

TestSuite(local_ask, .init = node_setup, .fini = close_node);

static void become(uid_t uid)
{
	if (!getuid())
		cr_assert(zero(int, seteuid(uid)));
	/* Or /proc/self is root's. */
	prctl(PR_SET_DUMPABLE, 1);
}

static void become_who_we_are(void)
{
	become(getuid());
}

/* From then on as somebody to whom modes mean something. */
static void set_mode(const char *name, mode_t mode)
{
	char path[256];

	become_who_we_are();
	node_path(path, sizeof(path), "%s", name);
	cr_assert(zero(int, chmod(path, mode)));
	become(65534);
}

Test(local_ask, names_a_container_as_soon_as_its_runtime_has_written_its_file)
{
	struct pod *pod;

	open_node(100, 100);
	local_ask(local, id_of(1), uid_of(1));
	local_ask(local, id_of(2), "");
	local_ask(local, id_of(3), uid_of(1));
	turn(5);
	cr_assert(eq(sz, n_known, 0));
	add_bundle(1, 1, 512, "container");
	add_bundle(2, 2, 2, "container");
	add_bundle(1, 3, 2, "sandbox");
	turn(150);
	cr_assert(eq(sz, n_known, 2));
	cr_assert(knows_container(1, 1));
	cr_assert(knows_container(2, 2));
	pod = knows(uid_of(1));
	cr_assert(eq(str, (char *)pod->namespace, "shop"));
	cr_assert(eq(u32, pod_container(pod, id_of(1))->cpu_milli, 500));
	cr_assert(eq(int, pod_container(pod, id_of(3))->role, CONTAINER_SANDBOX));
	cr_assert(eq(str, (char *)pod_container(pod, id_of(3))->name, ""));
	/* At once when it is there, and again when somebody has not heard. */
	add_bundle(3, 4, 1024, "container");
	local_ask(local, id_of(4), uid_of(3));
	take(SIZE_MAX);
	cr_assert(knows_container(3, 4));
	forget(uid_of(3));
	local_ask(local, id_of(4), uid_of(3));
	take(SIZE_MAX);
	cr_assert(knows_container(3, 4));
}

Test(local_ask, names_a_container_that_is_in_no_pod_by_its_id)
{
	struct pod *pod;

	open_node(100, 100);
	node_put("{\"Name\":\"/db\"}", "var/lib/docker/containers/%s/config.v2.json", id_of(1));
	cr_assert(local_usable(local));
	local_ask(local, id_of(1), "");
	take(SIZE_MAX);
	pod = knows(id_of(1));
	cr_assert(pod != NULL);
	cr_assert(eq(str, (char *)pod->namespace, ""));
	cr_assert(eq(str, (char *)pod->name, ""));
	cr_assert(eq(str, (char *)pod->workload.kind, ""));
	cr_assert(eq(sz, pod->n_containers, 1));
	cr_assert(eq(str, (char *)pod->containers[0].id, (char *)id_of(1)));
	cr_assert(eq(str, (char *)pod->containers[0].name, "db"));
}

Test(local_ask, puts_a_container_without_a_pod_of_its_own_into_the_one_that_it_runs_in)
{
	add_pod(1);
	open_node(100, 100);
	node_put("{\"Name\":\"/build\"}", "var/lib/docker/containers/%s/config.v2.json", id_of(1));
	local_ask(local, id_of(1), uid_of(1));
	take(SIZE_MAX);
	cr_assert(eq(sz, n_known, 1));
	cr_assert(eq(str, (char *)pod_container(knows(uid_of(1)), id_of(1))->name, "build"));
}

Test(local_ask, believes_the_kernel_rather_than_a_file_about_whose_a_container_is)
{
	open_node(100, 100);
	add_bundle(1, 1, 2, "container");
	local_ask(local, id_of(1), uid_of(2));
	turn(2);
	cr_assert(eq(sz, n_known, 0));
	cr_assert(eq(int, n_warned, 1));
}

Test(local_ask, says_once_that_a_runtimes_files_may_not_be_read)
{
	add_bundle(1, 1, 256, "container");
	add_bundle(2, 2, 256, "container");
	node_put("{\"Name\":\"/db\"}", "var/lib/docker/containers/%s/config.v2.json", id_of(3));
	set_mode("", 0755);
	set_mode("run/containerd", 0);
	open_node(100, 100);
	for (unsigned int i = 1; i < 4; i++)
		local_ask(local, id_of(i), i < 3 ? uid_of(i) : "");
	take(SIZE_MAX);
	cr_assert(eq(sz, n_known, 1));
	cr_assert(eq(int, n_warned, 1), "%s", warned);
	cr_assert(strstr(warned, "Permission denied (needs CAP_DAC_READ_SEARCH") != NULL);
	set_mode("run/containerd", 0755);
	turn(200);
	cr_assert(knows_container(1, 1));
	cr_assert(knows_container(2, 2));
	cr_assert(eq(int, n_warned, 1), "%s", warned);
	become_who_we_are();
}

Test(local_ask, refuses_to_ask_for_what_is_no_id)
{
	char longest[PATH_MAX_ID + 10];

	open_node(100, 100);
	memset(longest, 'a', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	local_ask(local, "", "");
	local_ask(local, "", uid_of(1));
	local_ask(local, "../../etc", uid_of(1));
	local_ask(local, longest, "");
	local_ask(local, id_of(1), "no-uid");
	turn(2);
	cr_assert(eq(sz, n_known, 0));
	cr_assert(eq(int, n_warned, 1));
}

Test(local_ask, adds_what_a_container_requests_to_what_its_log_tells)
{
	node_mkdir("var/log/containers");
	for (unsigned int i = 0; i < 50; i++) {
		add_pod(i);
		add_link(i, i);
		add_bundle(i, i, 256, "container");
	}
	/* This file is about another pod. */
	add_bundle(7, 8, 256, "container");
	open_node(100, 100);
	turn(100);
	for (unsigned int i = 0; i < 50; i++)
		cr_assert(eq(u32, pod_container(knows(uid_of(i)), id_of(i))->cpu_milli,
			     i == 8 ? 0 : 250),
			  "%u", i);
}

Test(local_ask, says_once_what_it_may_not_read_and_what_helps)
{
	add_pod(1);
	add_link(1, 10);
	set_mode("", 0755);
	set_mode("var/log/pods", 0);
	open_node(100, 100);
	cr_assert(eq(int, n_warned, 1), "%s", warned);
	cr_assert(strstr(warned, "'/var/log/pods': Permission denied (needs CAP_DAC_") != NULL);
	/* The links are enough. */
	turn(2);
	cr_assert(knows_container(1, 10));
	cr_assert(local_usable(local));
	local_ask(local, id_of(2), uid_of(2));
	turn(1300);
	cr_assert(eq(int, n_warned, 1), "%s", warned);
	/* Whoever asks has it looked at again. */
	set_mode("var/log/pods", 0755);
	local_ask(local, id_of(3), uid_of(2));
	turn(1300);
	become_who_we_are();
	add_pod(3);
	turn(2);
	cr_assert(knows(uid_of(3)) != NULL);
	cr_assert(eq(int, n_warned, 1), "%s", warned);
}

TestSuite(local_asks, .fini = no_leaks);

Test(local_asks, come_up_after_100_ms_and_1_and_5_seconds_and_no_more)
{
	static const uint64_t delays_ns[] = { 100 * MS, 1000 * MS, 5000 * MS };
	struct asks asks = { .n = 0 };
	uint64_t now = 1000;
	struct ask ask;

	cr_assert(zero(u64, asks_next_ns(&asks)));
	cr_assert(zero(int, asks_add(&asks, "a", "u", now)));
	cr_assert(eq(int, asks_add(&asks, "a", "u", now), -EEXIST));
	for (size_t i = 0; i < ARRAY_SIZE(delays_ns); i++) {
		cr_assert(eq(u64, asks_next_ns(&asks), now + delays_ns[i]));
		now += delays_ns[i];
		cr_assert(not(asks_take(&asks, now - 1, &ask)));
		cr_assert(asks_take(&asks, now, &ask));
		cr_assert(eq(str, ask.id, "a"));
		cr_assert(eq(str, ask.uid, "u"));
		asks_put_back(&asks, &ask, now);
	}
	cr_assert(zero(u64, asks_next_ns(&asks)));
	asks_free(&asks);
}

Test(local_asks, are_as_many_as_there_is_room_for_and_each_waits_until_it_is_dropped)
{
	struct asks asks = { .n = 0 };
	struct ask ask;
	char id[16];

	for (int i = 0; i < ASKS_MAX; i++) {
		snprintf(id, sizeof(id), "id%d", i);
		cr_assert(zero(int, asks_add(&asks, id, "", 1)));
	}
	cr_assert(eq(int, asks_add(&asks, "more", "", 1), -ENOSPC));
	for (int i = 0; i < ASKS_MAX; i += 2) {
		snprintf(id, sizeof(id), "id%d", i);
		asks_drop(&asks, id);
	}
	for (int i = 0; i < ASKS_MAX; i++) {
		snprintf(id, sizeof(id), "id%d", i);
		cr_assert(eq(int, asks_has(&asks, id), i % 2));
	}
	for (int i = 0; i < ASKS_MAX / 2; i++)
		cr_assert(asks_take(&asks, UINT64_MAX, &ask));
	cr_assert(not(asks_take(&asks, UINT64_MAX, &ask)));
	asks_free(&asks);
}
