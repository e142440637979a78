/* SPDX-License-Identifier: Apache-2.0 */
#include "names/function.h"

#include <string.h>

/* A label that is there but empty says nothing. */
static const char *find(label_lookup label, const void *ctx, const char *key)
{
	const char *value = label(ctx, key);

	return value && *value ? value : NULL;
}

static const char *or_empty(const char *text)
{
	return text ? text : "";
}

/* A revision may be without a service, but never without a configuration. */
static const char *knative_name(label_lookup label, const void *ctx)
{
	const char *service = find(label, ctx, "serving.knative.dev/service");

	return service ? service : find(label, ctx, "serving.knative.dev/configuration");
}

/* OpenWhisk starts pods ahead of calls: they belong to it, but to no action yet. */
static bool is_prewarm(label_lookup label, const void *ctx)
{
	const char *user_pod = find(label, ctx, "user-action-pod");

	return (user_pod && !strcmp(user_pod, "true")) || find(label, ctx, "invoker");
}

struct function function_of(label_lookup label, const void *ctx, const char *namespace,
			    bool *ret_prewarm)
{
	struct function function = {
		.platform = FUNCTION_NONE, .namespace = "", .name = "", .revision = ""
	};
	const char *service = knative_name(label, ctx);
	const char *action = service ? NULL : find(label, ctx, "openwhisk/action");

	if (service) {
		function.platform = FUNCTION_KNATIVE;
		function.namespace = or_empty(namespace);
		function.name = service;
		function.revision = or_empty(find(label, ctx, "serving.knative.dev/revision"));
	} else if (action) {
		function.platform = FUNCTION_OPENWHISK;
		function.namespace = or_empty(find(label, ctx, "openwhisk/namespace"));
		function.name = action;
	}
	*ret_prewarm = function.platform == FUNCTION_NONE && is_prewarm(label, ctx);
	return function;
}
