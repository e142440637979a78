/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <time.h>

#include "platform/loop.h"
#include "platform/scope.h"
#include "unit/no_leaks.h"

TestSuite(loop, .fini = no_leaks);

#define MS UINT64_C(1000000)

static struct loop *loop;
static int fired[64], n_fired;

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void note(void *ctx)
{
	fired[n_fired++] = (int)(intptr_t)ctx;
}

static void stop(void *ctx _unused_)
{
	loop_stop(loop);
}

static struct loop_timer *timer_at(uint64_t at_ns, void (*fire)(void *ctx), void *ctx)
{
	struct loop_timer *timer;

	cr_assert(zero(int, loop_timer_new(loop, fire, ctx, &timer)));
	loop_timer_set(timer, at_ns);
	return timer;
}

Test(loop, fires_timers_in_order_of_their_deadlines_and_never_early)
{
	static const int order[] = { 5, 1, 9, 3, 7, 0, 8, 2, 6, 4 };
	uint64_t start = now_ns();
	struct loop_timer *timers[10], *end;

	cr_assert(zero(int, loop_new(&loop)));
	for (int i = 0; i < 10; i++)
		timers[i] =
			timer_at(start + (uint64_t)order[i] * MS, note, (void *)(intptr_t)order[i]);
	end = timer_at(start + 15 * MS, stop, NULL);
	cr_assert(zero(int, loop_run(loop)));
	cr_assert(ge(u64, now_ns(), start + 15 * MS));
	cr_assert(eq(int, n_fired, 10));
	for (int i = 0; i < 10; i++)
		cr_assert(eq(int, fired[i], i));
	for (int i = 0; i < 10; i++)
		loop_timer_free(timers[i]);
	loop_timer_free(end);
	loop_free(loop);
}

Test(loop, forgets_a_timer_that_is_disarmed_moved_or_freed)
{
	uint64_t start = now_ns();
	struct loop_timer *disarmed, *moved, *freed, *end;

	loop_new(&loop);
	disarmed = timer_at(start + MS, note, (void *)1);
	moved = timer_at(start + MS, note, (void *)2);
	freed = timer_at(start + MS, note, (void *)3);
	end = timer_at(start + 10 * MS, stop, NULL);
	loop_timer_set(disarmed, 0);
	loop_timer_set(moved, start + 5 * MS);
	loop_timer_free(freed);
	loop_run(loop);
	cr_assert(eq(int, n_fired, 1));
	cr_assert(eq(int, fired[0], 2));
	loop_timer_free(disarmed);
	loop_timer_free(moved);
	loop_timer_free(end);
	loop_free(loop);
}

static struct loop_timer *again;
static int rounds;

static void set_again(void *ctx _unused_)
{
	rounds++;
	loop_timer_set(again, 1); /* long past */
}

static void raise_fd(void *ctx, uint32_t events _unused_)
{
	note(ctx);
	loop_stop(loop);
}

Test(loop, lets_no_timer_that_is_always_due_starve_the_rest)
{
	_close_ int fd = eventfd(1, EFD_NONBLOCK);

	loop_new(&loop);
	again = timer_at(1, set_again, NULL);
	cr_assert(zero(int, loop_add(loop, fd, EPOLLIN, raise_fd, NULL)));
	cr_assert(zero(int, loop_run(loop)));
	cr_assert(eq(int, n_fired, 1));
	cr_assert(lt(int, rounds, 10));
	loop_timer_free(again);
	loop_free(loop);
}

static struct loop_timer *victims[2];

static void free_both(void *ctx)
{
	note(ctx);
	loop_timer_free(victims[0]);
	loop_timer_free(victims[1]);
	loop_stop(loop);
}

Test(loop, lets_a_timer_free_itself_and_another_that_is_due)
{
	loop_new(&loop);
	victims[0] = timer_at(1, free_both, (void *)1);
	victims[1] = timer_at(2, note, (void *)2);
	loop_run(loop);
	cr_assert(eq(int, n_fired, 1));
	loop_free(loop);
}

static int fds[3];

static void remove_all(void *ctx, uint32_t events _unused_)
{
	note(ctx);
	for (int i = 0; i < 3; i++)
		loop_remove(loop, fds[i]);
}

Test(loop, lets_a_callback_remove_every_fd_of_its_batch)
{
	struct loop_timer *end;

	loop_new(&loop);
	for (int i = 0; i < 3; i++) {
		fds[i] = eventfd(1, EFD_NONBLOCK);
		cr_assert(zero(int, loop_add(loop, fds[i], EPOLLIN, remove_all, NULL)));
	}
	end = timer_at(now_ns() + 5 * MS, stop, NULL);
	loop_run(loop);
	cr_assert(eq(int, n_fired, 1), "the other two were removed before their turn");
	loop_timer_free(end);
	loop_free(loop);
	for (int i = 0; i < 3; i++)
		close(fds[i]);
}

static void replace_other(void *ctx, uint32_t events _unused_)
{
	int other = fds[ctx == &fds[0]];

	/* The number lives on as another file, which has nothing to say. */
	loop_remove(loop, other);
	close(other);
	cr_assert(eq(int, eventfd(0, EFD_NONBLOCK), other));
	cr_assert(zero(int, loop_add(loop, other, EPOLLIN, remove_all, (void *)9)));
	loop_remove(loop, fds[ctx != &fds[0]]);
}

Test(loop, gives_no_stale_event_to_a_number_that_was_taken_again)
{
	struct loop_timer *end;

	loop_new(&loop);
	fds[2] = -1;
	for (int i = 0; i < 2; i++) {
		fds[i] = eventfd(1, EFD_NONBLOCK);
		loop_add(loop, fds[i], EPOLLIN, replace_other, &fds[i]);
	}
	end = timer_at(now_ns() + 5 * MS, stop, NULL);
	loop_run(loop);
	cr_assert(zero(int, n_fired));
	loop_timer_free(end);
	loop_free(loop);
	close(fds[0]);
	close(fds[1]);
}

Test(loop, refuses_what_it_cannot_watch)
{
	_close_ int fd = eventfd(0, 0);
	FILE *file = tmpfile();

	loop_new(&loop);
	cr_expect(eq(int, loop_add(loop, -1, EPOLLIN, remove_all, NULL), -EBADF));
	cr_expect(eq(int, loop_add(loop, 999, EPOLLIN, remove_all, NULL), -EBADF));
	cr_expect(eq(int, loop_add(loop, fileno(file), EPOLLIN, remove_all, NULL), -EPERM));
	cr_expect(zero(int, loop_add(loop, fd, EPOLLIN, remove_all, NULL)));
	cr_expect(eq(int, loop_add(loop, fd, EPOLLIN, remove_all, NULL), -EEXIST));
	cr_expect(eq(int, loop_change(loop, 999, EPOLLIN), -ENOENT));
	cr_expect(zero(int, loop_change(loop, fd, EPOLLOUT)));
	loop_remove(loop, 999);
	loop_free(loop);
	fclose(file);
}

static void on_signal(void *ctx, int signal)
{
	note((void *)(intptr_t)signal);
	if (signal == SIGTERM)
		loop_stop(ctx);
}

Test(loop, turns_signals_into_calls)
{
	static const int signals[] = { SIGTERM, SIGUSR1 };

	loop_new(&loop);
	cr_assert(zero(int, loop_signals(loop, signals, 2, on_signal, loop)));
	cr_assert(eq(int, loop_signals(loop, signals, 2, on_signal, loop), -EEXIST));
	raise(SIGUSR1);
	raise(SIGTERM);
	cr_assert(zero(int, loop_run(loop)));
	cr_assert(eq(int, n_fired, 2));
	cr_assert(eq(int, fired[0] + fired[1], SIGUSR1 + SIGTERM));
	loop_free(loop);
}

Test(loop, sleeps_while_there_is_nothing_to_do)
{
	struct rusage before, after;
	struct loop_timer *end;

	loop_new(&loop);
	end = timer_at(now_ns() + 200 * MS, stop, NULL);
	getrusage(RUSAGE_SELF, &before);
	loop_run(loop);
	getrusage(RUSAGE_SELF, &after);
	cr_assert(le(long, after.ru_nvcsw - before.ru_nvcsw, 2), "one sleep, one wake-up");
	loop_timer_free(end);
	loop_free(loop);
}

Test(loop, can_stop_before_it_runs_and_run_again)
{
	struct loop_timer *end;

	loop_new(&loop);
	loop_stop(loop);
	cr_assert(zero(int, loop_run(loop)));
	end = timer_at(1, stop, NULL);
	cr_assert(zero(int, loop_run(loop)));
	loop_timer_set(end, UINT64_MAX); /* never, but it must not spin or overflow */
	victims[0] = timer_at(now_ns() + MS, stop, NULL);
	cr_assert(zero(int, loop_run(loop)));
	loop_timer_free(victims[0]);
	loop_timer_free(end);
	loop_free(loop);
}

Test(loop, may_die_before_its_timers)
{
	struct loop_timer *a, *b;

	loop_new(&loop);
	a = timer_at(now_ns() + MS, note, NULL);
	b = timer_at(0, note, NULL);
	loop_free(loop);
	loop_timer_set(a, 1);
	loop_timer_free(a);
	loop_timer_free(b);
	loop_timer_free(NULL);
	loop_free(NULL);
	cr_assert(zero(int, n_fired));
}

/* Against a plain list: whatever is set, moved and freed, what fires is what was due. */
Test(loop, agrees_with_a_plain_list_on_random_orders)
{
	struct loop_timer *timers[64];
	uint64_t at[64] = { 0 }, state = 7, past = now_ns() - 1000;
	struct loop_timer *end;
	int want = 0;

	loop_new(&loop);
	for (int i = 0; i < 64; i++)
		timers[i] = timer_at(0, note, (void *)(intptr_t)i);
	for (int i = 0; i < 5000; i++) {
		size_t which = (state >> 33) % 64;

		state = state * 6364136223846793005u + 1442695040888963407u;
		at[which] = state >> 62 ? past - (state >> 40) % 500 : 0;
		loop_timer_set(timers[which], at[which]);
	}
	end = timer_at(past + 1, stop, NULL);
	loop_run(loop);
	for (int i = 0; i < 64; i++)
		want += at[i] != 0;
	cr_assert(eq(int, n_fired, want));
	for (int i = 1; i < n_fired; i++)
		cr_assert(ge(u64, at[fired[i]], at[fired[i - 1]]));
	for (int i = 0; i < 64; i++)
		loop_timer_free(timers[i]);
	loop_timer_free(end);
	loop_free(loop);
}
