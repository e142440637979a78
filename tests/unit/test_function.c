/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

#include "names/function.h"
#include "no_leaks.h"
#include "platform/scope.h"

TestSuite(function, .fini = no_leaks);

/* key, value, key, value, …, NULL */
static const char *look_up(const void *ctx, const char *key)
{
	for (const char *const *labels = ctx; *labels; labels += 2)
		if (!strcmp(labels[0], key))
			return labels[1];
	return NULL;
}

static struct function read_labels(const char *const *labels, bool *ret_prewarm)
{
	return function_of(look_up, labels, "shop", ret_prewarm);
}

static void expect(const char *const *labels, struct function want, bool want_prewarm)
{
	bool prewarm = !want_prewarm;
	struct function got = read_labels(labels, &prewarm);

	cr_expect(eq(int, got.platform, want.platform), "%s", labels[0]);
	cr_expect(eq(str, (char *)got.namespace, (char *)want.namespace), "%s", labels[0]);
	cr_expect(eq(str, (char *)got.name, (char *)want.name), "%s", labels[0]);
	cr_expect(eq(str, (char *)got.revision, (char *)want.revision), "%s", labels[0]);
	cr_expect(eq(int, prewarm, want_prewarm), "%s", labels[0]);
}

#define EXPECT(platform, namespace, name, revision, prewarm, ...)                                  \
	expect((const char *const[]){ __VA_ARGS__, NULL },                                         \
	       (struct function){ platform, namespace, name, revision }, prewarm)

#define SERVICE  "serving.knative.dev/service"
#define CONFIG   "serving.knative.dev/configuration"
#define REVISION "serving.knative.dev/revision"

Test(function, of_knative_is_a_service_in_the_namespace_of_its_pod)
{
	EXPECT(FUNCTION_KNATIVE, "shop", "web", "web-00002", false, SERVICE, "web", REVISION,
	       "web-00002", CONFIG, "other");
	EXPECT(FUNCTION_KNATIVE, "shop", "web", "", false, SERVICE, "web");
	/* Made without a service. */
	EXPECT(FUNCTION_KNATIVE, "shop", "conf", "conf-1", false, CONFIG, "conf", REVISION,
	       "conf-1");
	EXPECT(FUNCTION_NONE, "", "", "", false, REVISION, "web-00002");
}

Test(function, of_openwhisk_is_an_action_in_a_namespace_of_its_own)
{
	EXPECT(FUNCTION_OPENWHISK, "guest", "resize", "", false, "openwhisk/action", "resize",
	       "openwhisk/namespace", "guest", "user-action-pod", "true", "invoker", "invoker0");
	EXPECT(FUNCTION_OPENWHISK, "", "pkg/my action", "", false, "openwhisk/action",
	       "pkg/my action");
}

Test(function, without_an_action_is_prewarm)
{
	EXPECT(FUNCTION_NONE, "", "", "", true, "user-action-pod", "true");
	EXPECT(FUNCTION_NONE, "", "", "", true, "invoker", "invoker0");
	EXPECT(FUNCTION_NONE, "", "", "", true, "invoker", "invoker0", "openwhisk/action", "");
	EXPECT(FUNCTION_NONE, "", "", "", false, "user-action-pod", "false");
	EXPECT(FUNCTION_NONE, "", "", "", false, "app", "web");
	EXPECT(FUNCTION_NONE, "", "", "", false, "openwhisk/namespace", "guest");
}

/* Every subset of all labels, empty values among them: one platform, and Knative's word first. */
Test(function, is_of_one_platform_whatever_labels_say)
{
	static const char *const all[][2] = {
		{ SERVICE, "web" },
		{ CONFIG, "conf" },
		{ REVISION, "r" },
		{ "openwhisk/action", "resize" },
		{ "openwhisk/namespace", "guest" },
		{ "user-action-pod", "true" },
		{ "invoker", "i" },
	};
	const unsigned int n = ARRAY_SIZE(all);

	for (unsigned int set = 0; set < 1u << 2 * n; set++) {
		const char *labels[2 * ARRAY_SIZE(all) + 1] = { NULL };
		bool has[ARRAY_SIZE(all)] = { false }, prewarm, knative, openwhisk;
		struct function function;
		size_t used = 0;

		for (unsigned int i = 0; i < n; i++) {
			if (!(set & 1u << i))
				continue;
			has[i] = !(set & 1u << (n + i));
			labels[used++] = all[i][0];
			labels[used++] = has[i] ? all[i][1] : "";
		}
		function = read_labels(labels, &prewarm);
		knative = has[0] || has[1];
		openwhisk = !knative && has[3];
		cr_assert(eq(int, function.platform == FUNCTION_KNATIVE, knative));
		cr_assert(eq(int, function.platform == FUNCTION_OPENWHISK, openwhisk));
		cr_assert(eq(int, prewarm, !knative && !openwhisk && (has[5] || has[6])));
		cr_assert(eq(int, *function.name != '\0', knative || openwhisk));
		cr_assert(ne(ptr, (void *)function.namespace, NULL));
		cr_assert(eq(int, *function.revision != '\0', knative && has[2]));
	}
}

Test(function, can_do_without_a_namespace)
{
	static const char *const labels[] = { SERVICE, "web", NULL };
	bool prewarm;

	cr_assert(eq(str, (char *)function_of(look_up, labels, NULL, &prewarm).namespace, ""));
}
