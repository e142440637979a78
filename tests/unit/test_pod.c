/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <pthread.h>
#include <string.h>

#include "names/clip.h"
#include "names/pod.h"
#include "no_leaks.h"
#include "oom.h"
#include "platform/scope.h"

TestSuite(pod, .fini = no_leaks);
TestSuite(clip, .fini = no_leaks);

#define LONG 400 /* longer than any text may be */

static uint64_t next(uint64_t *state)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return *state >> 33;
}

/* Any bytes but NUL, any length up to LONG: what a hostile API server may say. */
static char *noise(uint64_t *state)
{
	size_t len = next(state) % LONG;
	char *text = malloc(len + 1);

	for (size_t i = 0; i < len; i++)
		text[i] = (char)(1 + next(state) % 255);
	text[len] = '\0';
	return text;
}

/* Its start, whole but for what would be too much and for half a character. */
static void expect_copy(const char *copy, const char *from)
{
	size_t len = strlen(copy);

	cr_assert(ne(ptr, (void *)copy, (void *)from));
	cr_assert(le(sz, len, POD_MAX_TEXT));
	cr_assert(zero(int, strncmp(copy, from, len)));
	if (strlen(from) <= POD_MAX_TEXT)
		cr_assert(eq(sz, len, strlen(from)));
	else
		cr_assert(ge(sz, len, POD_MAX_TEXT - 3));
}

Test(pod, copies_everything_it_is_given)
{
	uint64_t state = 5;

	for (int round = 0; round < 300; round++) {
		_free_ char *key = noise(&state), *space = noise(&state), *name = noise(&state);
		_free_ char *kind = noise(&state), *owner = noise(&state);
		_free_ char *function = noise(&state), *revision = noise(&state);
		struct pod like = { .source = POD_FROM_LOCAL,
				    .key = key,
				    .namespace = space,
				    .name = name,
				    .workload = { kind, owner, true },
				    .function = { FUNCTION_OPENWHISK, space, function, revision },
				    .prewarm = true,
				    .ready_wall_ns = 77,
				    .ended = true,
				    .all_started = true };
		struct pod *pod = pod_new(&like);

		cr_assert(eq(uint, atomic_load(&pod->refs), 1));
		expect_copy(pod->key, key);
		expect_copy(pod->namespace, space);
		expect_copy(pod->name, name);
		expect_copy(pod->workload.kind, kind);
		expect_copy(pod->workload.name, owner);
		expect_copy(pod->function.namespace, space);
		expect_copy(pod->function.name, function);
		expect_copy(pod->function.revision, revision);
		cr_assert(eq(int, pod->source, POD_FROM_LOCAL));
		cr_assert(eq(int, pod->function.platform, FUNCTION_OPENWHISK));
		cr_assert(eq(u64, pod->ready_wall_ns, 77));
		cr_assert(pod->prewarm && pod->ended && pod->all_started && pod->workload.derived);
		pod_unref(pod);
	}
}

Test(pod, has_no_null_text)
{
	static const struct pod_container nameless = { .id = "a" };
	struct pod *pod = pod_new(&(struct pod){ .containers = &nameless, .n_containers = 1 });
	const char *texts[] = { pod->key,           pod->namespace,
				pod->name,          pod->workload.kind,
				pod->workload.name, pod->function.namespace,
				pod->function.name, pod->function.revision,
				pod->labels,        pod->containers[0].name };

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		cr_expect(texts[i] && !*texts[i], "text %zu", i);
	pod_unref(pod);
}

/* Among ids that are too long, empty, missing or too many: what is kept is what can be found. */
Test(pod, finds_its_containers_by_their_whole_id)
{
	enum { N = 3 * POD_MAX_CONTAINERS };
	static char ids[N][PATH_MAX_ID + 8];
	struct pod_container like[N];
	uint64_t state = 11;
	struct pod *pod;
	size_t kept = 0;

	for (size_t i = 0; i < N; i++) {
		size_t len = i % 3 == 1 ? 0 : i % 3 == 2 ? PATH_MAX_ID + i % 8 : 20 + i % 100;

		for (size_t j = 0; j < len && j < sizeof(ids[i]) - 1; j++)
			ids[i][j] = (char)('a' + next(&state) % 26);
		like[i] = (struct pod_container){ .id = i % 6 == 1 ? NULL : ids[i],
						  .name = ids[i],
						  .role = CONTAINER_INIT,
						  .cpu_milli = (uint32_t)i };
	}
	pod = pod_new(&(struct pod){ .containers = like, .n_containers = N });
	for (size_t i = 0; i < N; i++) {
		const struct pod_container *found = pod_container(pod, ids[i]);

		cr_assert(eq(int, found != NULL, i % 3 == 0), "%zu", i);
		if (!found)
			continue;
		kept++;
		cr_assert(eq(str, (char *)found->id, ids[i]));
		cr_assert(eq(str, (char *)found->name, ids[i]));
		cr_assert(eq(int, found->role, CONTAINER_INIT));
		cr_assert(eq(u32, found->cpu_milli, (uint32_t)i));
		ids[i][strlen(ids[i]) - 1] = '\0';
		cr_assert(eq(ptr, (void *)pod_container(pod, ids[i]), NULL), "a part of an id");
	}
	cr_assert(eq(sz, pod->n_containers, kept));
	pod_unref(pod);
}

Test(pod, keeps_at_most_so_many_containers)
{
	enum { N = POD_MAX_CONTAINERS + 10 };
	struct pod_container like[N];
	char ids[N][8];
	struct pod *pod;

	for (size_t i = 0; i < N; i++) {
		snprintf(ids[i], sizeof(ids[i]), "c%zu", i);
		like[i] = (struct pod_container){ .id = ids[i] };
	}
	pod = pod_new(&(struct pod){ .containers = like, .n_containers = N });
	cr_assert(eq(sz, pod->n_containers, POD_MAX_CONTAINERS));
	for (size_t i = 0; i < N; i++)
		cr_expect(eq(int, pod_container(pod, ids[i]) != NULL, i < POD_MAX_CONTAINERS));
	pod_unref(pod);
}

Test(pod, that_is_not_there_has_no_containers)
{
	cr_assert(eq(ptr, pod_ref(NULL), NULL));
	cr_assert(eq(ptr, (void *)pod_container(NULL, "a"), NULL));
	pod_unref(NULL);
}

/* Whatever is cut off, what is left is labels: `,name="value"` with escapes, from first to last. */
static size_t count_labels(const char *text)
{
	size_t n = 0;

	for (; *text; n++) {
		cr_assert(eq(chr, *text, ','));
		text += strcspn(text, "=");
		cr_assert(zero(int, strncmp(text, "=\"", 2)));
		for (text += 2; *text != '"'; text++) {
			cr_assert(ne(chr, *text, '\0'));
			if (*text == '\\')
				text++;
		}
		text++;
	}
	return n;
}

Test(pod, cuts_labels_between_labels)
{
	static const char *const values[] = { "", "x", "\\\"", "\\\\", ",label_b=\\\"", "\\n\xc3" };
	uint64_t state = 3;

	for (int round = 0; round < 500; round++) {
		static char text[4 * POD_MAX_LABELS];
		size_t len = 0, n = 0, before = 0;
		struct pod *pod;

		while (len < POD_MAX_LABELS + 500) {
			int pad = (int)(next(&state) % 300);

			before = len <= POD_MAX_LABELS ? n : before;
			len += (size_t)snprintf(text + len, sizeof(text) - len,
						",label_a%zu=\"%s%*s\"", n,
						values[next(&state) % ARRAY_SIZE(values)], pad, "");
			n++;
		}
		pod = pod_new(&(struct pod){ .labels = text });
		cr_assert(le(sz, strlen(pod->labels), POD_MAX_LABELS));
		cr_assert(zero(int, strncmp(pod->labels, text, strlen(pod->labels))));
		cr_assert(eq(sz, count_labels(pod->labels), before));
		pod_unref(pod);
	}
}

Test(pod, leaves_out_a_label_that_nothing_ends)
{
	static char text[POD_MAX_LABELS + 100];
	struct pod *pod;

	memset(text, 'x', sizeof(text) - 1);
	memcpy(text, ",label_a=\"1\",label_b=\"", 22);
	pod = pod_new(&(struct pod){ .labels = text });
	cr_assert(eq(str, (char *)pod->labels, ",label_a=\"1\""));
	pod_unref(pod);
}

Test(pod, is_one_allocation_and_may_be_none)
{
	static const struct pod_container container = { .id = "a", .name = "b" };
	struct pod like = { .name = "n", .containers = &container, .n_containers = 1 };
	int rounds = 0;

	OOM_SWEEP(n)
	{
		struct pod *pod = pod_new(&like);
		bool failed = oom_stop();

		cr_assert(failed == (pod == NULL));
		pod_unref(pod);
		rounds++;
	}
	cr_assert(eq(int, rounds, 2));
}

static void *share(void *arg)
{
	for (int i = 0; i < 20000; i++)
		pod_unref(pod_ref(arg));
	pod_unref(arg);
	return NULL;
}

Test(pod, is_counted_across_threads)
{
	struct pod *pod = pod_new(&(struct pod){ .name = "n" });
	pthread_t threads[4];

	for (int i = 0; i < 4; i++)
		cr_assert(eq(int, pthread_create(&threads[i], NULL, share, pod_ref(pod)), 0));
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	cr_assert(eq(uint, atomic_load(&pod->refs), 1));
	pod_unref(pod);
}

Test(pod, calls_every_platform_something)
{
	cr_assert(eq(str, (char *)function_platform_name(FUNCTION_NONE), ""));
	cr_assert(eq(str, (char *)function_platform_name(FUNCTION_KNATIVE), "knative"));
	cr_assert(eq(str, (char *)function_platform_name(FUNCTION_OPENWHISK), "openwhisk"));
	cr_assert(eq(str, (char *)function_platform_name((enum function_platform)9), ""));
}

/* Any run of characters of one to four bytes, cut anywhere: whole characters, and no fewer. */
Test(clip, never_leaves_half_a_character)
{
	static const char *const characters[] = { "a", "\xc3\xa9", "\xe2\x82\xac",
						  "\xf0\x9f\x98\x80" };
	uint64_t state = 1;

	for (int round = 0; round < 2000; round++) {
		size_t ends[41] = { 0 }, n = 40, max, want = 0;
		char text[200] = "";

		for (size_t i = 0; i < n; i++) {
			const char *character = characters[next(&state) % 4];

			memcpy(text + ends[i], character, strlen(character) + 1);
			ends[i + 1] = ends[i] + strlen(character);
		}
		max = next(&state) % (sizeof(text) - 1);
		for (size_t i = 0; i <= n; i++)
			want = ends[i] <= max ? ends[i] : want;
		cr_assert(eq(sz, clip_len(text, max), want));
	}
}

Test(clip, takes_what_is_no_utf8_as_it_is)
{
	cr_assert(eq(sz, clip_len("\x80\x80\x80\x80\x80\x80\x80\x80", 6), 6));
	cr_assert(eq(sz, clip_len("\xff\xff\xff", 2), 2));
	cr_assert(eq(sz, clip_len(NULL, 5), 0));
	cr_assert(eq(sz, clip_len("", 5), 0));
	cr_assert(eq(sz, clip_len("abc", 0), 0));
}

Test(clip, fills_up_with_zeros)
{
	char text[8];

	memset(text, 'x', sizeof(text));
	clip_copy("abcdef\xe2\x82\xac", text, sizeof(text));
	cr_assert(zero(int, memcmp(text, "abcdef\0\0", 8)));
	clip_copy(NULL, text, sizeof(text));
	cr_assert(zero(int, memcmp(text, "\0\0\0\0\0\0\0\0", 8)));
}
