/* SPDX-License-Identifier: Apache-2.0 */
#include "expose/interval.h"

#include <errno.h>
#include <stdlib.h>

#include "platform/host.h"
#include "platform/scope.h"

#define NS_PER_SECOND 1000000000ull
/* A snapshot may be as old as one publish interval when the time is up: look again this often. */
#define LOOK_AGAIN_NS 100000000ull

struct interval {
	struct interval_list *list;
	struct interval *next;
	struct MHD_Connection *connection;
	struct snapshot *base;
	struct loop_timer *timer;
	uint64_t until_ns;   /* t_ns that the end must have */
	uint64_t give_up_ns; /* then the newest snapshot is the end, whatever it is */
	bool asleep;
};

static void wake(struct interval *interval)
{
	loop_timer_set(interval->timer, 0);
	if (!interval->asleep)
		return;
	interval->asleep = false;
	MHD_resume_connection(interval->connection);
	interval->list->woken(interval->list->ctx);
}

static void look(void *ctx)
{
	struct interval *interval = ctx;
	struct snapshot *now = snapshot_current(interval->list->pool);
	uint64_t t_ns = host_monotonic_ns();
	bool over = now->t_ns >= interval->until_ns || t_ns >= interval->give_up_ns;

	snapshot_put(interval->list->pool, now);
	if (over)
		wake(interval);
	else
		loop_timer_set(interval->timer, t_ns + LOOK_AGAIN_NS);
}

void interval_free(struct interval *interval)
{
	struct interval **link;

	if (!interval)
		return;
	for (link = &interval->list->first; *link; link = &(*link)->next) {
		if (*link != interval)
			continue;
		*link = interval->next;
		interval->list->n--;
		break;
	}
	if (interval->timer)
		loop_timer_free(interval->timer);
	if (interval->base)
		snapshot_put(interval->list->pool, interval->base);
	free(interval);
}

static void free_interval(struct interval **interval)
{
	interval_free(*interval);
}

int interval_begin(struct interval_list *list, struct MHD_Connection *connection, uint64_t span_ns,
		   struct interval **ret)
{
	_cleanup_(free_interval) struct interval *interval = NULL;
	uint64_t publish_ns;
	int r;

	if (list->n >= INTERVAL_MAX_WAITING)
		return -EBUSY;
	interval = calloc(1, sizeof(*interval));
	if (!interval)
		return -ENOMEM;
	interval->list = list;
	interval->connection = connection;
	interval->base = snapshot_current(list->pool);
	if (!interval->base)
		return -EAGAIN;
	r = loop_timer_new(list->loop, look, interval, &interval->timer);
	if (r < 0)
		return r;

	publish_ns = interval->base->facts->publish_ns;
	interval->until_ns = interval->base->t_ns + span_ns;
	interval->give_up_ns = host_monotonic_ns() + span_ns + 2 * publish_ns + 2 * NS_PER_SECOND;
	loop_timer_set(interval->timer, interval->until_ns);
	MHD_suspend_connection(connection);
	interval->asleep = true;
	interval->next = list->first;
	list->first = interval;
	list->n++;
	*ret = TAKE_PTR(interval);
	return 0;
}

int interval_result(const struct interval *interval, struct snapshot **ret)
{
	struct snapshot *end;
	int r;

	if (interval->list->closing)
		return -ESHUTDOWN;
	end = snapshot_current(interval->list->pool);
	r = snapshot_since(interval->base, end, ret);
	snapshot_put(interval->list->pool, end);
	return r;
}

void interval_close(struct interval_list *list)
{
	list->closing = true;
	for (struct interval *i = list->first; i; i = i->next)
		wake(i);
}
