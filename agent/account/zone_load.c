/* SPDX-License-Identifier: Apache-2.0 */
#include "account/zone_load.h"

#include "platform/scope.h"

void cpu_count_update(struct cpu_count *count, const struct topology *topology,
		      const struct activity *activity)
{
	unsigned int each = activity->cpus / MAX(activity->n_packages, 1u);

	if (count->online == activity->cpus)
		return;
	count->online = activity->cpus;
	for (unsigned int i = 0; i < HOST_MAX_PACKAGES; i++)
		count->of_package[i] = topology ? 0 : each;
	for (unsigned int i = 0; topology && i < topology->n_cpus; i++)
		count->of_package[topology->package_of[i]] += topology->online[i];
}

struct zone_load zone_load_of(const struct cpu_count *count, int package,
			      const struct activity *activity)
{
	struct zone_load load = { .cpus = activity->cpus,
				  .known = activity->rows && activity->package_busy_ns };
	unsigned int n = MIN(activity->n_packages, HOST_MAX_PACKAGES);

	if (!load.known)
		return load;
	if (package >= 0 && (unsigned int)package < n) {
		load.busy_ns = activity->package_busy_ns[package];
		load.cpus = count->of_package[package];
		return load;
	}
	for (unsigned int i = 0; i < n; i++)
		load.busy_ns += activity->package_busy_ns[i];
	return load;
}
