/* SPDX-License-Identifier: Apache-2.0 */
#include "activity/activity.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform/log.h"
#include "platform/parse.h"
#include "platform/scope.h"

/* Best first; --activity overrides the order. */
static const struct activity_driver *const drivers[] = {
	&activity_bpf,
	&activity_cgroup,
	&activity_proc,
};
const char *const activity_driver_names[] = { "bpf", "cgroup", "proc", NULL };
_Static_assert(ARRAY_SIZE(activity_driver_names) == ARRAY_SIZE(drivers) + 1,
	       "every driver has a name");

struct order {
	const struct activity_driver *drivers[16];
	size_t n;
};

static int append(size_t index, void *ctx)
{
	struct order *order = ctx;

	if (order->n == ARRAY_SIZE(order->drivers))
		return -E2BIG;
	order->drivers[order->n++] = drivers[index];
	return 0;
}

static int read_order(const char *text, struct order *ret)
{
	char bad[64] = "";
	int r = 0;

	ret->n = 0;
	if (!text || strcmp(text, "auto") == 0) {
		for (size_t i = 0; i < ARRAY_SIZE(drivers); i++)
			append(i, ret);
		return 0;
	}
	r = parse_list(text, activity_driver_names, ARRAY_SIZE(drivers), append, ret, bad,
		       sizeof(bad));
	if (r == 0 && ret->n > 0)
		return 0;
	log_error("activity: no source is called '%s' (use auto, or a list of bpf, cgroup, proc)",
		  *bad ? bad : text);
	return -EINVAL;
}

int activity_open(const char *order, const struct host *host, const struct activity_config *config,
		  struct activity_source **ret)
{
	struct hierarchy unused;
	struct order chosen;
	int r = read_order(order, &chosen), worst = -ENODEV;

	if (r < 0)
		return r;
	/* A wish that nobody can meet is an error, not a reason to degrade. */
	if (config->hierarchy && hierarchy_find(host, config->hierarchy, &unused) == -EINVAL)
		return -EINVAL;
	for (size_t i = 0; i < chosen.n; i++) {
		struct activity_source *source = NULL;

		r = chosen.drivers[i]->open(host, config, &source);
		if (r == 0) {
			*ret = source;
			return 0;
		}
		if (worst == -ENODEV) /* broken is worth more to know than absent */
			worst = r;
		log_debug("activity: %s is not used: %s", chosen.drivers[i]->name, strerror(-r));
	}
	log_warn("activity: no source works on this machine (tried %s); all energy is unattributed",
		 order ? order : "auto");
	return worst;
}

int activity_alloc(struct activity *activity, uint32_t capacity, unsigned int n_packages)
{
	struct activity new = { .capacity = capacity, .n_packages = n_packages };

	new.rows = calloc(capacity, sizeof(*new.rows));
	new.weight = calloc((size_t)capacity * n_packages, sizeof(*new.weight));
	new.package_busy_ns = calloc(n_packages, sizeof(*new.package_busy_ns));
	new.active = calloc(capacity, sizeof(*new.active));
	if (!new.rows || !new.weight || !new.package_busy_ns || !new.active) {
		activity_free(&new);
		return -ENOMEM;
	}
	*activity = new;
	return 0;
}

void activity_free(struct activity *activity)
{
	free(activity->rows);
	free(activity->weight);
	free(activity->package_busy_ns);
	free(activity->active);
	*activity = (struct activity){ 0 };
}

int activity_refuse(const struct activity_config *config, const char *driver, int error,
		    const char *fix, const char *why, ...)
{
	struct probe_row row = { .state = error == -ENODEV ? PROBE_ABSENT : PROBE_BROKEN };
	va_list args;

	va_start(args, why);
	vsnprintf(row.why, sizeof(row.why), why, args);
	va_end(args);
	snprintf(row.source, sizeof(row.source), "%s", driver);
	snprintf(row.fix, sizeof(row.fix), "%s", fix);
	log_line(error == -ENODEV ? LOG_LEVEL_DEBUG : LOG_LEVEL_WARNING, "%s: %s%s%s%s", driver,
		 row.why, *fix ? " (" : "", fix, *fix ? ")" : "");
	probe_add(config->probe, &row);
	return error;
}
