/* SPDX-License-Identifier: Apache-2.0 */
#include "names/vm.h"

#include <errno.h>
#include <stdlib.h>

#include "names/vm_scan.h"
#include "platform/scope.h"

#define FIRST_LOOK_NS 1000000000ull
#define LOOK_EVERY_NS 30000000000ull

struct vm_finder {
	struct loop_timer *timer;
	struct vm_scan *scan;
};

static void look(void *ctx)
{
	struct vm_finder *finder = ctx;

	vm_scan_look(finder->scan);
	loop_timer_set(finder->timer, host_monotonic_ns() + LOOK_EVERY_NS);
}

static void vm_finder_closep(struct vm_finder **finder)
{
	vm_finder_close(*finder);
}

int vm_finder_open(struct loop *loop, const struct vm_config *config, struct mailbox *mailbox,
		   struct vm_finder **ret)
{
	_cleanup_(vm_finder_closep) struct vm_finder *finder = calloc(1, sizeof(*finder));
	int r;

	if (!finder)
		return -ENOMEM;
	r = vm_scan_new(config, mailbox, &finder->scan);
	if (r < 0)
		return r;
	r = loop_timer_new(loop, look, finder, &finder->timer);
	if (r < 0)
		return r;
	/* The sampler has the cgroups that are there by then. */
	loop_timer_set(finder->timer, host_monotonic_ns() + FIRST_LOOK_NS);
	*ret = TAKE_PTR(finder);
	return 0;
}

void vm_finder_close(struct vm_finder *finder)
{
	if (!finder)
		return;
	loop_timer_free(finder->timer);
	vm_scan_free(finder->scan);
	free(finder);
}
