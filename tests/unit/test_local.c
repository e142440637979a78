/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <sys/resource.h>

#include "local_node.h"
#include "oom.h"

TestSuite(local, .init = node_setup, .fini = close_node);

Test(local, knows_at_once_what_lies_in_the_kubelets_directories)
{
	add_pod(1);
	add_pod(2);
	add_link(1, 10);
	add_link(1, 11);
	open_node(100, 100);
	take(SIZE_MAX);
	cr_assert(eq(sz, n_known, 2));
	cr_assert(eq(sz, n_notes, 2));
	cr_assert(eq(str, (char *)knows(uid_of(1))->namespace, "shop"));
	cr_assert(eq(str, (char *)knows(uid_of(1))->name, "web-1"));
	cr_assert(knows(uid_of(1))->workload.derived);
	cr_assert(ne(str, (char *)knows(uid_of(1))->workload.kind, ""));
	cr_assert(knows_container(1, 10));
	cr_assert(knows_container(1, 11));
	cr_assert(eq(sz, knows(uid_of(2))->n_containers, 0));
	cr_assert(local_usable(local));
	cr_assert(eq(int, n_warned, 0), "%s", warned);
}

#define N_PODS 12

Test(local, tells_of_exactly_what_is_there_whatever_comes_and_goes)
{
	static struct {
		bool is_there;
		unsigned int n, n_old, ids[64]; /* linked now; n_old of them since the last turn */
	} pods[N_PODS];
	unsigned int seed = 3, next_id = 1;

	node_mkdir("var/log/pods");
	node_mkdir("var/log/containers");
	open_node(100, 100);
	for (int round = 0; round < 400; round++) {
		size_t n_there = 0;

		for (int action = rand_r(&seed) % 6; action >= 0; action--) {
			unsigned int p = (unsigned int)rand_r(&seed) % N_PODS, at;

			if (!pods[p].is_there) {
				add_pod(p);
				pods[p].is_there = true;
			} else if (rand_r(&seed) % 8 == 0) {
				while (pods[p].n)
					remove_link(p, pods[p].ids[--pods[p].n]);
				remove_pod(p);
				pods[p].is_there = false;
				pods[p].n_old = 0;
			} else if (rand_r(&seed) % 3 || !pods[p].n_old) {
				if (pods[p].n == 64)
					continue;
				add_link(p, next_id);
				pods[p].ids[pods[p].n++] = next_id++;
			} else {
				at = (unsigned int)rand_r(&seed) % pods[p].n_old;
				remove_link(p, pods[p].ids[at]);
				pods[p].ids[at] = pods[p].ids[--pods[p].n_old];
				pods[p].ids[pods[p].n_old] = pods[p].ids[--pods[p].n];
			}
		}
		turn(2);
		for (unsigned int p = 0; p < N_PODS; p++) {
			n_there += pods[p].is_there;
			cr_assert(eq(int, knows(uid_of(p)) != NULL, pods[p].is_there));
			for (unsigned int i = 0; i < pods[p].n; i++)
				cr_assert(knows_container(p, pods[p].ids[i]), "%d: pod %u", round,
					  p);
			pods[p].n_old = pods[p].n;
		}
		cr_assert(eq(sz, n_known, n_there));
	}
	cr_assert(gt(u32, next_id, 300));
}

Test(local, waits_for_directories_that_are_not_there_yet_and_outlives_their_end)
{
	open_node(100, 100);
	cr_assert(not(local_usable(local)));
	turn(2);
	cr_assert(eq(sz, n_known, 0));
	for (int round = 0; round < 3; round++) {
		node_mkdir("var");
		turn(2);
		node_mkdir("var/log");
		turn(2);
		/* Not this one. */
		node_mkdir("var/log/podsy");
		node_mkdir("var/log/pod");
		add_pod(1);
		turn(2);
		cr_assert(local_usable(local));
		cr_assert(knows(uid_of(1)) != NULL, "round %d", round);
		add_link(1, 10);
		turn(2);
		add_link(1, 11);
		add_pod(2);
		turn(2);
		cr_assert(eq(sz, n_known, 2), "round %d", round);
		cr_assert(knows_container(1, 10));
		cr_assert(knows_container(1, 11));
		node_remove("var");
		turn(2);
		cr_assert(eq(sz, n_known, 0), "round %d", round);
	}
	cr_assert(eq(int, n_warned, 0), "%s", warned);
}

Test(local, follows_a_directory_that_is_moved_away_and_replaced)
{
	char from[256], to[256];

	add_pod(1);
	node_mkdir("var/log/containers");
	open_node(100, 100);
	node_path(from, sizeof(from), "var/log");
	node_path(to, sizeof(to), "var/old");
	cr_assert(zero(int, rename(from, to)));
	node_path(from, sizeof(from), "var/old/pods");
	node_path(to, sizeof(to), "var/pods-old");
	cr_assert(zero(int, rename(from, to)));
	turn(2);
	cr_assert(eq(sz, n_known, 0));
	add_pod(2);
	turn(2);
	cr_assert(eq(sz, n_known, 1));
	cr_assert(knows(uid_of(2)) != NULL);
}

Test(local, sleeps_when_nothing_happens)
{
	struct rusage before, after;

	add_pod(1);
	open_node(100, 100);
	turn(50);
	getrusage(RUSAGE_THREAD, &before);
	turn(300);
	getrusage(RUSAGE_THREAD, &after);
	cr_assert(le(long, after.ru_nvcsw - before.ru_nvcsw, 3));
}

Test(local, loses_nothing_when_the_kernel_loses_events)
{
	_close_ int proc_fd = -1;
	char path[2][256];
	uint64_t max;

	proc_fd = open("/proc/sys/fs/inotify", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cr_assert(zero(int, host_read_u64(proc_fd, "max_queued_events", &max)));
	add_pod(1);
	node_mkdir("var/log/containers");
	node_mkdir("var/log/pods/.a");
	open_node(100, 100);
	/* More than inotify keeps, then what it has no room for. */
	node_path(path[0], sizeof(path[0]), "var/log/pods/.a");
	node_path(path[1], sizeof(path[1]), "var/log/pods/.b");
	for (uint64_t i = 0; i <= max / 2; i++)
		cr_assert(zero(int, rename(path[i % 2], path[1 - i % 2])));
	remove_pod(1);
	for (unsigned int i = 2; i < 10; i++) {
		add_pod(i);
		add_link(i, i);
	}
	turn(200);
	cr_assert(eq(sz, n_known, 8));
	for (unsigned int i = 2; i < 10; i++)
		cr_assert(knows_container(i, i));
}

Test(local, says_later_what_found_no_room_in_the_mailbox)
{
	for (unsigned int i = 0; i < 8; i++)
		add_pod(i);
	node_mkdir("var/log/containers");
	open_node(2, 100);
	for (int i = 0; i < 100 && n_known < 8; i++) {
		take(1);
		turn(50);
	}
	cr_assert(eq(sz, n_known, 8));
	for (unsigned int i = 0; i < 8; i++) {
		remove_pod(i);
		add_pod(i + 8);
	}
	for (int i = 0; i < 100 && (n_known > 8 || !knows(uid_of(15))); i++)
		turn(50);
	cr_assert(eq(sz, n_known, 8));
	for (unsigned int i = 8; i < 16; i++)
		cr_assert(knows(uid_of(i)) != NULL);
}

Test(local, keeps_the_pods_that_have_logs_where_there_is_no_room_for_all)
{
	for (unsigned int i = 0; i < 60; i++)
		add_pod(i);
	for (unsigned int i = 20; i < 30; i++)
		add_link(i, i);
	open_node(1000, 10);
	take(SIZE_MAX);
	cr_assert(eq(sz, n_known, 10));
	for (unsigned int i = 20; i < 30; i++)
		cr_assert(knows_container(i, i));
	/* The newest that runs takes the place of the oldest. */
	add_pod(100);
	turn(2);
	cr_assert(knows(uid_of(100)) == NULL);
	add_link(100, 100);
	turn(2);
	cr_assert(eq(sz, n_known, 10));
	cr_assert(knows_container(100, 100));
}

Test(local, keeps_at_most_64_containers_of_a_pod_and_first_those_that_have_logs)
{
	add_pod(1);
	node_mkdir("var/log/containers");
	open_node(100, 100);
	add_link(1, 1000);
	for (unsigned int i = 0; i < 100; i++) {
		add_link(1, i);
		turn(1);
		remove_link(1, i);
		turn(1);
	}
	cr_assert(eq(sz, knows(uid_of(1))->n_containers, 64));
	cr_assert(knows_container(1, 1000));
	cr_assert(knows_container(1, 99));
	cr_assert(not(knows_container(1, 0)));
}

Test(local, takes_links_alone_where_the_pods_directory_is_not_there)
{
	add_link(1, 10);
	add_link(1, 11);
	open_node(100, 100);
	turn(1);
	cr_assert(knows_container(1, 10));
	remove_link(1, 10);
	turn(1);
	cr_assert(knows_container(1, 10));
	remove_link(1, 11);
	turn(1);
	cr_assert(eq(sz, n_known, 0));
}

Test(local, believes_no_link_of_a_pod_that_has_no_directory)
{
	add_pod(1);
	add_link(1, 10);
	add_link(2, 20);
	open_node(100, 100);
	turn(1);
	cr_assert(eq(sz, n_known, 1));
	cr_assert(knows_container(1, 10));
	cr_assert(eq(int, n_warned, 0), "%s", warned);
}

Test(local, mixes_no_two_pods_up_that_claim_one_uid)
{
	char name[300], target[256];

	add_pod(1);
	add_link(1, 10);
	open_node(100, 100);
	snprintf(target, sizeof(target), "/var/log/pods/shop_other_%s/app/0.log", uid_of(1));
	snprintf(name, sizeof(name), "var/log/containers/other_shop_app-%s.log", id_of(11));
	node_mkdir("var/log/pods/shop_other_%s", uid_of(1));
	turn(1);
	node_link(target, name);
	turn(1);
	cr_assert(eq(str, (char *)knows(uid_of(1))->name, "web-1"));
	cr_assert(eq(sz, knows(uid_of(1))->n_containers, 1));
	snprintf(name, sizeof(name), "var/log/pods/shop_other_%s", uid_of(1));
	node_remove(name);
	turn(1);
	cr_assert(knows_container(1, 10));
	cr_assert(eq(int, n_warned, 1), "%s", warned);
}

Test(local, ignores_garbage_and_says_so_once)
{
	add_pod(1);
	node_put("x", "var/log/pods/shop_file-1_%s", uid_of(2));
	node_put("x", "var/log/pods/README");
	node_mkdir("var/log/pods/lost+found");
	node_mkdir("var/log/pods/shop_other_%s", uid_of(1));
	node_mkdir("elsewhere");
	node_link("/elsewhere", "var/log/pods/shop_link-1_00000000-0000-4000-8000-000000000003");
	node_link("/etc/passwd", "var/log/containers/passwd.log");
	node_put("x", "var/log/containers/web-1_shop_app-%s.log", id_of(3));
	add_link(1, 10);
	open_node(100, 100);
	node_mkdir("var/log/pods/.hidden");
	node_mkdir("var/log/pods/more");
	turn(2);
	cr_assert(eq(sz, n_known, 1));
	/* Whichever of the two with one uid came first. */
	cr_assert(knows(uid_of(1)) != NULL);
	cr_assert(eq(int, n_warned, 1), "%s", warned);
	cr_assert(strstr(warned, "local: ignored '") != NULL);
}

Test(local, survives_any_allocation_that_fails_and_knows_everything_in_the_end)
{
	struct local_config config = { .root_fd = node_fd, .max_pods = 100 };
	int n_failed = 0;

	for (unsigned int i = 0; i < 3; i++) {
		add_pod(i);
		add_link(i, i);
	}
	add_bundle(5, 5, 256, "container");
	open_node(100, 100);
	take(SIZE_MAX);
	OOM_SWEEP(n)
	{
		struct local *second = NULL;
		int r = local_open(loop, &config, mailbox, &second);

		if (r == 0)
			local_ask(second, id_of(5), uid_of(5));
		n_failed += oom_stop();
		cr_assert(r == 0 || r == -ENOMEM);
		take(SIZE_MAX);
		local_close(second);
	}
	cr_assert(gt(int, n_failed, 15));
	cr_assert(eq(sz, n_known, 4));
	/* An event that found no memory. */
	add_pod(6);
	oom_after(1); /* the first is the turn's own */
	turn(2);
	cr_assert(oom_stop());
	turn(1200);
	cr_assert(knows(uid_of(6)) != NULL);
}

Test(local, reads_250_pods_with_3_containers_each_in_no_time)
{
	struct local_config config = { .root_fd = node_fd, .max_pods = 1000 };
	uint64_t best_ns = UINT64_MAX;

	for (unsigned int i = 0; i < 250; i++) {
		add_pod(i);
		for (unsigned int j = 0; j < 3; j++)
			add_link(i, 3 * i + j);
	}
	open_node(1000, 1000);
	take(SIZE_MAX);
	cr_assert(eq(sz, n_known, 250));
	for (unsigned int i = 0; i < 750; i++)
		cr_assert(knows_container(i / 3, i));
	/* The best of a few: the machine has other things to do. */
	for (int i = 0; i < 10; i++) {
		uint64_t start_ns = host_monotonic_ns();
		struct local *second;

		cr_assert(zero(int, local_open(loop, &config, mailbox, &second)));
		best_ns = MIN(best_ns, host_monotonic_ns() - start_ns);
		local_close(second);
		take(SIZE_MAX);
	}
	cr_log_info("local: scanned in %llu us", (unsigned long long)best_ns / 1000);
	/* Under a sanitizer, too. */
	cr_assert(lt(u64, best_ns, 100 * MS));
}
