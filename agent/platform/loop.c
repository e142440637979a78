/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/loop.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <time.h>

#include "platform/scope.h"

#define BATCH 32

struct watch {
	struct watch *next;
	int fd; /* -1 once removed: later events of the same batch find nobody */
	void (*each)(void *ctx, uint32_t events);
	void *ctx;
};

struct loop_timer {
	struct loop_timer *next, **link; /* in a list while armed or due; link NULL: in none */
	struct loop_timer *next_of_all, **link_of_all;
	struct loop *loop; /* NULL once the loop is gone */
	uint64_t at_ns;
	void (*fire)(void *ctx);
	void *ctx;
};

struct loop {
	int epoll_fd, timer_fd, signal_fd;
	struct watch *watches;
	struct watch *removed;     /* freed when no event of the batch can name them */
	struct loop_timer *timers; /* armed, soonest first */
	struct loop_timer *due;    /* taken out to be fired in this round */
	struct loop_timer *all;
	uint64_t armed_ns; /* what timer_fd is set to; 0: off */
	void (*each_signal)(void *ctx, int signal);
	void *signal_ctx;
	bool stop;
};

static struct watch **find_watch(struct loop *loop, int fd)
{
	struct watch **at = &loop->watches;

	while (*at && (*at)->fd != fd)
		at = &(*at)->next;
	return at;
}

static void free_watches(struct watch **list)
{
	while (*list) {
		struct watch *watch = *list;

		*list = watch->next;
		free(watch);
	}
}

int loop_add(struct loop *loop, int fd, uint32_t events, void (*each)(void *ctx, uint32_t events),
	     void *ctx)
{
	_free_ struct watch *watch = NULL;
	struct epoll_event event = { .events = events };

	if (fd < 0)
		return -EBADF;
	if (*find_watch(loop, fd))
		return -EEXIST;
	watch = calloc(1, sizeof(*watch));
	if (!watch)
		return -ENOMEM;
	*watch = (struct watch){ .next = loop->watches, .fd = fd, .each = each, .ctx = ctx };
	event.data.ptr = watch;
	if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
		return -errno;

	loop->watches = TAKE_PTR(watch);
	return 0;
}

int loop_change(struct loop *loop, int fd, uint32_t events)
{
	struct watch *watch = *find_watch(loop, fd);
	struct epoll_event event = { .events = events, .data.ptr = watch };

	if (!watch)
		return -ENOENT;
	return epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, fd, &event) < 0 ? -errno : 0;
}

void loop_remove(struct loop *loop, int fd)
{
	struct watch **at = find_watch(loop, fd), *watch = *at;

	if (fd < 0 || !watch)
		return;
	/* The owner may have closed it already, which is as good. */
	epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
	*at = watch->next;
	watch->fd = -1;
	watch->next = loop->removed;
	loop->removed = watch;
}

static void unlink_timer(struct loop_timer *timer)
{
	if (!timer->link)
		return;
	*timer->link = timer->next;
	if (timer->next)
		timer->next->link = timer->link;
	timer->link = NULL;
}

static void link_timer(struct loop_timer **at, struct loop_timer *timer)
{
	timer->next = *at;
	timer->link = at;
	if (timer->next)
		timer->next->link = &timer->next;
	*at = timer;
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void fire_timers(void *ctx, uint32_t events _unused_)
{
	struct loop *loop = ctx;
	struct loop_timer **end = &loop->due;
	uint64_t now = now_ns();

	/* The timerfd is not read: setting it again, which the next round does, takes its count,
	 * and a next deadline that is the same instant is due as well.  What is due is taken out
	 * first: a timer that sets itself into the past waits a round and starves nobody, and a
	 * callback may free any timer in either list. */
	while (loop->timers && loop->timers->at_ns <= now) {
		struct loop_timer *timer = loop->timers;

		unlink_timer(timer);
		link_timer(end, timer);
		end = &timer->next;
	}
	while (loop->due) {
		struct loop_timer *timer = loop->due;

		unlink_timer(timer);
		timer->at_ns = 0;
		timer->fire(timer->ctx);
	}
}

static void read_signals(void *ctx, uint32_t events _unused_)
{
	struct loop *loop = ctx;
	struct signalfd_siginfo info;

	while (!loop->stop && read(loop->signal_fd, &info, sizeof(info)) == sizeof(info))
		loop->each_signal(loop->signal_ctx, (int)info.ssi_signo);
}

/* Called right before sleeping, so that any number of changes is one system call or none. */
static int arm_timerfd(struct loop *loop)
{
	uint64_t at_ns = loop->timers ? loop->timers->at_ns : 0;
	struct itimerspec spec = { .it_value = { .tv_sec = (time_t)(at_ns / 1000000000u),
						 .tv_nsec = (long)(at_ns % 1000000000u) } };

	if (at_ns == loop->armed_ns)
		return 0;
	if (timerfd_settime(loop->timer_fd, TFD_TIMER_ABSTIME, &spec, NULL) < 0)
		return -errno;
	loop->armed_ns = at_ns;
	return 0;
}

static void free_loop(struct loop **loop)
{
	loop_free(*loop);
}

int loop_new(struct loop **ret)
{
	_cleanup_(free_loop) struct loop *loop = calloc(1, sizeof(*loop));
	int r;

	if (!loop)
		return -ENOMEM;
	loop->timer_fd = loop->signal_fd = -1;
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll_fd < 0)
		return -errno;
	loop->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (loop->timer_fd < 0)
		return -errno;
	r = loop_add(loop, loop->timer_fd, EPOLLIN, fire_timers, loop);
	if (r < 0)
		return r;

	*ret = TAKE_PTR(loop);
	return 0;
}

void loop_free(struct loop *loop)
{
	if (!loop)
		return;
	/* Timers belong to who made them, and may be freed after us. */
	for (struct loop_timer *timer = loop->all; timer; timer = timer->next_of_all) {
		unlink_timer(timer);
		timer->loop = NULL;
		timer->link_of_all = NULL;
	}
	free_watches(&loop->watches);
	free_watches(&loop->removed);
	close_fd(&loop->signal_fd);
	close_fd(&loop->timer_fd);
	close_fd(&loop->epoll_fd);
	free(loop);
}

int loop_timer_new(struct loop *loop, void (*fire)(void *ctx), void *ctx, struct loop_timer **ret)
{
	struct loop_timer *timer = calloc(1, sizeof(*timer));

	if (!timer)
		return -ENOMEM;
	*timer = (struct loop_timer){ .loop = loop, .fire = fire, .ctx = ctx };
	timer->next_of_all = loop->all;
	timer->link_of_all = &loop->all;
	if (loop->all)
		loop->all->link_of_all = &timer->next_of_all;
	loop->all = timer;

	*ret = timer;
	return 0;
}

void loop_timer_set(struct loop_timer *timer, uint64_t at_ns)
{
	struct loop_timer **at;

	unlink_timer(timer);
	timer->at_ns = at_ns;
	if (!at_ns || !timer->loop)
		return;
	/* Equal deadlines fire in the order that they were set in. */
	for (at = &timer->loop->timers; *at && (*at)->at_ns <= timer->at_ns; at = &(*at)->next)
		;
	link_timer(at, timer);
}

void loop_timer_free(struct loop_timer *timer)
{
	if (!timer)
		return;
	unlink_timer(timer);
	if (timer->link_of_all) {
		*timer->link_of_all = timer->next_of_all;
		if (timer->next_of_all)
			timer->next_of_all->link_of_all = timer->link_of_all;
	}
	free(timer);
}

int loop_signals(struct loop *loop, const int *signals, int n, void (*each)(void *ctx, int signal),
		 void *ctx)
{
	_close_ int fd = -1;
	sigset_t set;
	int r;

	if (loop->signal_fd >= 0)
		return -EEXIST;
	sigemptyset(&set);
	for (int i = 0; i < n; i++)
		if (sigaddset(&set, signals[i]) < 0)
			return -EINVAL;
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return -errno;
	r = pthread_sigmask(SIG_BLOCK, &set, NULL);
	if (r)
		return -r;
	r = loop_add(loop, fd, EPOLLIN, read_signals, loop);
	if (r < 0)
		return r;

	loop->each_signal = each;
	loop->signal_ctx = ctx;
	loop->signal_fd = TAKE_FD(fd);
	return 0;
}

int loop_run(struct loop *loop)
{
	while (!loop->stop) {
		struct epoll_event events[BATCH];
		int n, r = arm_timerfd(loop);

		if (r < 0)
			return r;
		n = epoll_wait(loop->epoll_fd, events, BATCH, -1);
		if (n < 0 && errno != EINTR)
			return -errno;
		/* After a stop the rest of the batch waits for the next run: it is level-triggered.
		 */
		for (int i = 0; i < n && !loop->stop; i++) {
			struct watch *watch = events[i].data.ptr;

			if (watch->fd >= 0)
				watch->each(watch->ctx, events[i].events);
		}
		free_watches(&loop->removed);
	}
	loop->stop = false;
	return 0;
}

void loop_stop(struct loop *loop)
{
	loop->stop = true;
}
