/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>

#include "names/mailbox.h"
#include "no_leaks.h"
#include "oom.h"
#include "platform/parse.h"
#include "platform/scope.h"

TestSuite(mailbox, .fini = no_leaks);

static struct mailbox *open_mailbox(size_t max)
{
	struct mailbox *mailbox;

	cr_assert(zero(int, mailbox_new(max, &mailbox)));
	return mailbox;
}

static uint64_t next(uint64_t *state)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return *state >> 33;
}

/* The version of a pod stands in ready_wall_ns, so that tests see which one they hold. */
static int send_pod(struct mailbox *mailbox, enum pod_source source, const char *key,
		    uint64_t version)
{
	struct pod *pod =
		pod_new(&(struct pod){ .source = source, .key = key, .ready_wall_ns = version });
	int r = mailbox_pod(mailbox, pod);

	pod_unref(pod);
	return r;
}

static int send_vm(struct mailbox *mailbox, uint64_t cgroup_id, uint64_t version)
{
	char text[24];
	struct name *name;
	int r;

	snprintf(text, sizeof(text), "%lu", (unsigned long)version);
	name = name_new_vm("/x", "qemu", text, "");
	r = mailbox_vm(mailbox, cgroup_id, name);
	name_unref(name);
	return r;
}

/* A mailbox as one would write it on paper: a list, searched from end to end. */
struct paper {
	struct item {
		enum note_kind kind;
		enum pod_source source;
		unsigned int id; /* of the key, or the cgroup */
		uint64_t version;
	} items[64];
	size_t n, max;
};

static int paper_put(struct paper *paper, struct item item)
{
	for (size_t i = 0; i < paper->n; i++) {
		struct item *old = &paper->items[i];

		if ((old->kind == NOTE_VM) == (item.kind == NOTE_VM) && old->id == item.id &&
		    (item.kind == NOTE_VM || old->source == item.source)) {
			*old = item;
			return 0;
		}
	}
	if (paper->n == paper->max)
		return -ENOSPC;
	paper->items[paper->n++] = item;
	return 0;
}

static int box_put(struct mailbox *mailbox, struct item item)
{
	char key[16];

	snprintf(key, sizeof(key), "k%u", item.id);
	switch (item.kind) {
	case NOTE_POD:
		return send_pod(mailbox, item.source, key, item.version);
	case NOTE_POD_GONE:
		return mailbox_pod_gone(mailbox, item.source, key);
	case NOTE_VM:
		break;
	}
	return send_vm(mailbox, item.id, item.version);
}

static void expect_note(const struct note *note, const struct item *item)
{
	char text[24];

	cr_assert(eq(int, note->kind, item->kind));
	cr_assert(eq(int, note->pod != NULL, item->kind == NOTE_POD));
	cr_assert(eq(int, note->name != NULL, item->kind == NOTE_VM));
	if (item->kind == NOTE_VM) {
		snprintf(text, sizeof(text), "%lu", (unsigned long)item->version);
		cr_assert(eq(u64, note->cgroup_id, item->id));
		cr_assert(eq(str, note->name->is.vm, text));
		return;
	}
	snprintf(text, sizeof(text), "k%u", item->id);
	cr_assert(eq(str, (char *)note->key, text));
	cr_assert(eq(int, note->source, item->source));
	if (note->pod)
		cr_assert(eq(u64, note->pod->ready_wall_ns, item->version));
}

static void expect_same(struct mailbox *mailbox, struct paper *paper, size_t max)
{
	struct note notes[64];
	size_t n = mailbox_take(mailbox, notes, max);

	cr_assert(eq(sz, n, MIN(max, paper->n)));
	for (size_t i = 0; i < n; i++) {
		expect_note(&notes[i], &paper->items[i]);
		note_drop(&notes[i]);
		cr_assert(not(notes[i].pod || notes[i].name), "dropping twice is harmless");
		note_drop(&notes[i]);
	}
	paper->n -= n;
	memmove(paper->items, paper->items + n, paper->n * sizeof(paper->items[0]));
}

Test(mailbox, keeps_the_newest_note_about_each_thing_in_order)
{
	static const size_t sizes[] = { 1, 2, 7, 8, 33 };

	for (size_t size = 0; size < ARRAY_SIZE(sizes); size++) {
		struct mailbox *mailbox = open_mailbox(sizes[size]);
		struct paper paper = { .max = sizes[size] };
		uint64_t state = 40 + size;

		for (uint64_t version = 1; version < 20000; version++) {
			struct item item = { .kind = (enum note_kind)(next(&state) % 3),
					     .source = (enum pod_source)(next(&state) % 2),
					     .id = (unsigned int)(next(&state) % 12),
					     .version = version };

			cr_assert(eq(int, box_put(mailbox, item), paper_put(&paper, item)));
			if (next(&state) % 8 == 0)
				expect_same(mailbox, &paper, next(&state) % 10);
		}
		/* What nobody takes is freed with the box: the suite looks for leaks. */
		mailbox_free(mailbox);
	}
}

Test(mailbox, holds_no_reference_longer_than_it_must)
{
	struct mailbox *mailbox = open_mailbox(4);
	struct pod *pod = pod_new(&(struct pod){ .key = "a" });
	struct name *name = name_new("/x");
	struct note note;

	cr_assert(zero(int, mailbox_pod(mailbox, pod)));
	cr_assert(eq(uint, atomic_load(&pod->refs), 2));
	cr_assert(zero(int, mailbox_pod(mailbox, pod)));
	cr_assert(eq(uint, atomic_load(&pod->refs), 2), "replaced by itself");
	cr_assert(zero(int, mailbox_pod_gone(mailbox, POD_FROM_API, "a")));
	cr_assert(eq(uint, atomic_load(&pod->refs), 1), "replaced by its end");
	cr_assert(zero(int, mailbox_pod(mailbox, pod)));
	cr_assert(eq(sz, mailbox_take(mailbox, &note, 1), 1));
	cr_assert(eq(int, note.kind, NOTE_POD), "gone, then there again");
	cr_assert(eq(uint, atomic_load(&pod->refs), 2), "now the taker's");
	note_drop(&note);

	for (uint64_t id = 0; id < 4; id++)
		cr_assert(zero(int, mailbox_vm(mailbox, id, name)));
	cr_assert(eq(int, mailbox_pod(mailbox, pod), -ENOSPC));
	cr_assert(eq(uint, atomic_load(&pod->refs), 1), "refused");
	cr_assert(eq(uint, atomic_load(&name->refs), 5));
	mailbox_free(mailbox);
	cr_assert(eq(uint, atomic_load(&name->refs), 1));
	name_unref(name);
	pod_unref(pod);
}

Test(mailbox, refuses_keys_that_no_path_can_have)
{
	struct mailbox *mailbox = open_mailbox(4);
	char key[PATH_MAX_ID + 1];
	struct note note;

	memset(key, 'k', sizeof(key));
	key[PATH_MAX_ID] = '\0';
	cr_assert(eq(int, mailbox_pod_gone(mailbox, POD_FROM_API, key), -EINVAL));
	cr_assert(eq(int, send_pod(mailbox, POD_FROM_API, key, 1), -EINVAL));
	cr_assert(eq(int, mailbox_pod_gone(mailbox, POD_FROM_API, ""), -EINVAL));
	cr_assert(eq(int, mailbox_pod_gone(mailbox, POD_FROM_API, NULL), -EINVAL));
	cr_assert(eq(int, send_pod(mailbox, POD_FROM_API, "", 1), -EINVAL));
	cr_assert(zero(sz, mailbox_take(mailbox, &note, 1)));
	key[PATH_MAX_ID - 1] = '\0';
	cr_assert(zero(int, mailbox_pod_gone(mailbox, POD_FROM_API, key)));
	cr_assert(eq(sz, mailbox_take(mailbox, &note, 1), 1));
	cr_assert(eq(str, (char *)note.key, key));
	mailbox_free(mailbox);
}

Test(mailbox, needs_room_and_memory)
{
	struct mailbox *mailbox = NULL;

	cr_assert(eq(int, mailbox_new(0, &mailbox), -EINVAL));
	cr_assert(eq(int, mailbox_new(SIZE_MAX, &mailbox), -EINVAL));
	cr_assert(eq(ptr, mailbox, NULL));
	mailbox_free(NULL);
	OOM_SWEEP(n)
	{
		int r = mailbox_new(100, &mailbox);
		bool failed = oom_stop();

		cr_assert(eq(int, r, failed ? -ENOMEM : 0));
		cr_assert(failed == (mailbox == NULL));
		mailbox_free(mailbox);
	}
}

Test(mailbox, passes_on_who_is_asked)
{
	struct mailbox *mailbox = open_mailbox(1);

	cr_assert(not(mailbox_naming(mailbox).any || mailbox_naming(mailbox).api));
	for (int i = 0; i < 4; i++) {
		mailbox_set_naming(mailbox, (struct naming){ .any = i & 1, .api = i & 2 });
		cr_assert(eq(int, mailbox_naming(mailbox).any, i & 1));
		cr_assert(eq(int, mailbox_naming(mailbox).api, i >> 1));
	}
	mailbox_free(mailbox);
}

static bool is_readable(int fd, int timeout_ms)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

	return poll(&poll_fd, 1, timeout_ms) == 1;
}

Test(mailbox, wakes_the_edge_once_however_often_it_is_asked)
{
	struct mailbox *mailbox = open_mailbox(1);
	int fd = mailbox_ask_fd(mailbox);

	cr_assert(ne(int, fcntl(fd, F_GETFD) & FD_CLOEXEC, 0));
	cr_assert(ne(int, fcntl(fd, F_GETFL) & O_NONBLOCK, 0));
	mailbox_answered(mailbox);
	for (int round = 0; round < 3; round++) {
		eventfd_t wakes;

		cr_assert(not(is_readable(fd, 0)));
		for (int i = 0; i < 1000; i++)
			mailbox_ask(mailbox);
		cr_assert(is_readable(fd, 0));
		cr_assert(zero(int, eventfd_read(fd, &wakes)));
		cr_assert(eq(u64, wakes, 1));
		mailbox_answered(mailbox);
	}
	mailbox_free(mailbox);
}

#define KEYS     50
#define VERSIONS 20000

struct two {
	struct mailbox *mailbox;
	atomic_uint_fast64_t question; /* the newest that was asked */
	atomic_bool done;
	uint64_t last[KEYS]; /* version sent last; odd: gone */
};

/* Each key is told of in rising versions; full means try again, as the edge does. */
static void *send_many(void *arg)
{
	struct two *two = arg;
	uint64_t state = 9;

	for (uint64_t version = 1; version <= VERSIONS; version++) {
		unsigned int id = (unsigned int)(next(&state) % KEYS);
		struct item item = { .kind = version % 2 ? NOTE_POD_GONE : NOTE_POD,
				     .id = id,
				     .version = version };

		while (box_put(two->mailbox, item) == -ENOSPC)
			sched_yield();
		two->last[id] = version;
	}
	atomic_store(&two->done, true);
	return NULL;
}

Test(mailbox, tells_another_thread_the_newest_of_every_key)
{
	struct two two = { .mailbox = open_mailbox(16) };
	uint64_t seen[KEYS] = { 0 };
	bool gone[KEYS] = { false }, done;
	pthread_t thread;
	size_t n;

	cr_assert(zero(int, pthread_create(&thread, NULL, send_many, &two)));
	do {
		struct note notes[5];

		done = atomic_load(&two.done);
		n = mailbox_take(two.mailbox, notes, ARRAY_SIZE(notes));
		for (size_t i = 0; i < n; i++) {
			uint64_t id;

			cr_assert(zero(int, parse_u64(notes[i].key + 1, &id)));
			gone[id] = !notes[i].pod;
			if (notes[i].pod) {
				cr_assert(gt(u64, notes[i].pod->ready_wall_ns, seen[id]));
				seen[id] = notes[i].pod->ready_wall_ns;
			}
			note_drop(&notes[i]);
		}
	} while (!done || n);
	pthread_join(thread, NULL);
	for (size_t id = 0; id < KEYS; id++) {
		cr_assert(eq(int, gone[id], two.last[id] % 2));
		if (!gone[id])
			cr_assert(eq(u64, seen[id], two.last[id]));
	}
	mailbox_free(two.mailbox);
}

static void *ask_many(void *arg)
{
	struct two *two = arg;

	for (uint64_t i = 1; i <= 20000; i++) {
		atomic_store_explicit(&two->question, i, memory_order_relaxed);
		mailbox_ask(two->mailbox);
	}
	return NULL;
}

/* A wake-up that got lost would leave the last question unseen for ever. */
Test(mailbox, loses_no_question_to_a_race)
{
	struct two two = { .mailbox = open_mailbox(1) };

	for (int round = 0; round < 100; round++) {
		uint64_t seen = 0;
		pthread_t thread;

		atomic_store(&two.question, 0);
		cr_assert(zero(int, pthread_create(&thread, NULL, ask_many, &two)));
		while (seen < 20000) {
			cr_assert(is_readable(mailbox_ask_fd(two.mailbox), 5000), "seen %lu",
				  (unsigned long)seen);
			mailbox_answered(two.mailbox);
			seen = atomic_load_explicit(&two.question, memory_order_relaxed);
		}
		pthread_join(thread, NULL);
		mailbox_answered(two.mailbox);
	}
	mailbox_free(two.mailbox);
}
