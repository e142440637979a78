/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "names/kube_access.h"
#include "names/kube_known.h"
#include "oom.h"
#include "platform/scope.h"
#include "unit/no_leaks.h"

TestSuite(kube_known, .fini = no_leaks);
TestSuite(kube_access, .fini = no_leaks);

#define PODS 12

static uint64_t seed = 88172645463325252u;

static uint64_t below(uint64_t limit)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed % limit;
}

/* One thing that happened to a pod.  Its container is called after the version. */
struct event {
	unsigned int pod, version;
	bool deleted;
};

/* What the sampler believes: 0: no pod, else the version that its container tells. */
static unsigned int belief[PODS];

static void listen(struct mailbox *mailbox, size_t max)
{
	struct note note;

	while (max-- && mailbox_take(mailbox, &note, 1)) {
		unsigned int pod = (unsigned int)(note.key[0] - 'a');

		belief[pod] = 0;
		for (const char *c = note.pod ? note.pod->containers[0].id : ""; *c; c++)
			belief[pod] = belief[pod] * 10 + (unsigned int)(*c - '0');
		note_drop(&note);
	}
}

static int happen(struct known *known, const struct event *event, bool trusted)
{
	struct kube_pod pod = { .version = event->version };
	char id[16];

	snprintf(id, sizeof(id), "%u", event->version);
	pod.key[0] = pod.uid[0] = (char)('a' + event->pod);
	pod.containers[0] = (struct pod_container){ .id = id, .name = "c" };
	pod.pod = (struct pod){ .key = pod.key,
				.name = "n",
				.namespace = "s",
				.labels = "",
				.containers = pod.containers,
				.n_containers = 1 };
	if (!event->deleted)
		return known_pod(known, &pod, trusted);
	known_deleted(known, &pod);
	return 0;
}

/* Lives of pods: versions that rise, a deletion at the end of some. */
static size_t write_lives(struct event *events, unsigned int truth[PODS])
{
	size_t n = 0;

	for (unsigned int pod = 0; pod < PODS; pod++) {
		unsigned int version = 1 + (unsigned int)below(5);

		truth[pod] = 0;
		for (uint64_t left = below(6); left; left--) {
			bool deleted = left == 1 && below(2);

			events[n++] = (struct event){ pod, version, deleted };
			truth[pod] = deleted ? 0 : version;
			version += 1 + (unsigned int)below(3);
		}
	}
	return n;
}

static void shuffle(struct event *events, size_t n)
{
	for (size_t i = n; i > 1; i--) {
		size_t other = below(i);
		struct event event = events[i - 1];

		events[i - 1] = events[other];
		events[other] = event;
	}
}

static void require_truth(const struct known *known, const unsigned int *truth)
{
	struct known_state state;
	uint64_t there = 0;

	for (unsigned int pod = 0; pod < PODS; pod++) {
		cr_assert(eq(uint, belief[pod], truth[pod]));
		there += truth[pod] != 0;
	}
	known_state(known, &state);
	cr_assert(eq(u64, state.pods, there));
	cr_assert(zero(u64, state.waiting));
	cr_assert(zero(u64, state.dropped));
}

Test(kube_known, ends_with_the_newest_word_in_whatever_order_they_come)
{
	for (int round = 0; round < 3000; round++) {
		struct event events[PODS * 6];
		unsigned int truth[PODS];
		size_t n = write_lives(events, truth), room = 1 + below(PODS);
		struct mailbox *mailbox;
		struct known *known;

		memset(belief, 0, sizeof(belief));
		cr_assert(zero(int, mailbox_new(room, &mailbox)));
		cr_assert(zero(int, known_new(mailbox, PODS, &known)));
		shuffle(events, n);
		for (size_t i = 0; i < n; i++) {
			cr_assert(zero(int, happen(known, &events[i], false)));
			/* Said twice is said once. */
			if (!below(3))
				cr_assert(zero(int, happen(known, &events[i], false)));
			/* Those who listen do so when they like, and the mailbox may be full. */
			listen(mailbox, below(3));
			if (!below(4))
				known_deliver(known);
		}
		for (int i = 0; i <= PODS && known_deliver(known); i++)
			listen(mailbox, PODS);
		listen(mailbox, PODS);
		require_truth(known, truth);
		known_free(known);
		mailbox_free(mailbox);
	}
}

Test(kube_known, believes_a_list_on_who_is_gone)
{
	for (int round = 0; round < 3000; round++) {
		struct event events[PODS * 6];
		unsigned int truth[PODS];
		size_t n = write_lives(events, truth);
		struct mailbox *mailbox;
		struct known *known;

		memset(belief, 0, sizeof(belief));
		cr_assert(zero(int, mailbox_new(PODS, &mailbox)));
		cr_assert(zero(int, known_new(mailbox, PODS, &known)));
		/* Only some of it was heard; then a list tells what is true. */
		shuffle(events, n);
		for (size_t i = 0; i < n / 2; i++)
			happen(known, &events[i], false);
		known_list_begin(known);
		for (unsigned int pod = 0; pod < PODS; pod++) {
			const struct event is = { pod, truth[pod], false };

			if (truth[pod])
				cr_assert(zero(int, happen(known, &is, below(2))));
		}
		known_list_end(known);
		listen(mailbox, PODS);
		require_truth(known, truth);
		known_free(known);
		mailbox_free(mailbox);
	}
}

Test(kube_known, holds_a_bounded_number_of_pods_that_are_no_more)
{
	struct mailbox *mailbox;
	struct known *known;
	struct kube_pod pod = { .pod = { .key = pod.key, .name = "n", .namespace = "s" } };
	struct known_state state;
	struct note notes[4];

	cr_assert(zero(int, mailbox_new(4, &mailbox)));
	cr_assert(zero(int, known_new(mailbox, 1, &known)));
	for (unsigned int i = 1; i < 5000; i++) {
		snprintf(pod.uid, sizeof(pod.uid), "pod-%u", i);
		memcpy(pod.key, pod.uid, sizeof(pod.key));
		pod.version = i;
		cr_assert(zero(int, known_pod(known, &pod, false)));
		snprintf(pod.uid, sizeof(pod.uid), "other-%u", i);
		memcpy(pod.key, pod.uid, sizeof(pod.key));
		cr_assert(eq(int, known_pod(known, &pod, false), -ENOSPC));
		snprintf(pod.uid, sizeof(pod.uid), "pod-%u", i);
		memcpy(pod.key, pod.uid, sizeof(pod.key));
		known_deleted(known, &pod);
		known_state(known, &state);
		cr_assert(zero(u64, state.pods + state.waiting));
		for (size_t n = mailbox_take(mailbox, notes, 4); n; n--)
			note_drop(&notes[n - 1]);
	}
	cr_assert(eq(u64, state.dropped, 4999));
	known_free(known);
	mailbox_free(mailbox);
}

Test(kube_known, survives_every_allocation_that_fails)
{
	const struct event there = { 0, 1, false }, gone = { 1, 2, true };

	OOM_SWEEP(n)
	{
		struct mailbox *mailbox = NULL;
		struct known *known = NULL;
		bool failed;
		int r = mailbox_new(4, &mailbox);

		memset(belief, 0, sizeof(belief));
		if (!r)
			r = known_new(mailbox, 4, &known);
		if (!r)
			r = happen(known, &there, false);
		if (!r)
			happen(known, &gone, false);
		failed = oom_stop();
		cr_assert(r == 0 || (failed && r == -ENOMEM));
		/* What failed once can be told again. */
		if (known) {
			cr_assert(zero(int, happen(known, &there, false)));
			known_deliver(known);
			listen(mailbox, 4);
			cr_assert(eq(uint, belief[0], 1));
		}
		known_free(known);
		mailbox_free(mailbox);
	}
}

Test(kube_access, is_where_the_cluster_says)
{
	static const struct {
		const char *host, *port, *server;
	} cases[] = { { "10.96.0.1", "443", "https://10.96.0.1:443" },
		      { "fd00::1", "6443", "https://[fd00::1]:6443" },
		      { "[fd00::1]", "6443", "https://[fd00::1]:6443" },
		      { "kubernetes.default.svc", "443", "https://kubernetes.default.svc:443" },
		      { "10.96.0.1", "44x", NULL },
		      { "a b", "443", NULL },
		      { "user@a", "443", NULL } };
	const struct kube_config config = { .node = "n1" };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct kube_access access;
		int r;

		setenv("KUBERNETES_SERVICE_HOST", cases[i].host, 1);
		setenv("KUBERNETES_SERVICE_PORT", cases[i].port, 1);
		r = kube_access_open(&config, &access);
		cr_assert(eq(int, r, cases[i].server ? 0 : -EINVAL), "%s", cases[i].host);
		if (r)
			continue;
		cr_expect(eq(str, access.server, (char *)cases[i].server));
		kube_access_close(&access);
	}
	OOM_SWEEP(n)
	{
		struct kube_config own = config;
		struct kube_access access;
		int r;

		own.server = "https://n1/";
		own.token_file = own.ca_file = "/nonexistent";
		r = kube_access_open(&own, &access);
		cr_assert(eq(int, r, oom_stop() ? -ENOMEM : 0));
		if (!r)
			kube_access_close(&access);
	}
}
