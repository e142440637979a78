/* SPDX-License-Identifier: Apache-2.0 */
/* Loop: one epoll for fds, timers and signals.  It knows nothing else. */
#ifndef PODJOULE_LOOP_H
#define PODJOULE_LOOP_H

#include <stdint.h>

struct loop;
struct loop_timer;

int loop_new(struct loop **ret);
void loop_free(struct loop *loop);

/* Call each(ctx, events) when fd has one of the epoll events; one registration per fd. */
int loop_add(struct loop *loop, int fd, uint32_t events, void (*each)(void *ctx, uint32_t events),
	     void *ctx);
int loop_change(struct loop *loop, int fd, uint32_t events);
void loop_remove(struct loop *loop, int fd); /* safe from inside a callback */

/* A timer fires once at at_ns (CLOCK_MONOTONIC); set it again to repeat, 0 disarms.  An idle loop
 * sleeps: no timer, no wake-up. */
int loop_timer_new(struct loop *loop, void (*fire)(void *ctx), void *ctx, struct loop_timer **ret);
void loop_timer_set(struct loop_timer *timer, uint64_t at_ns);
void loop_timer_free(struct loop_timer *timer);

/* Block signals and have them delivered as calls. */
int loop_signals(struct loop *loop, const int *signals, int n, void (*each)(void *ctx, int signal),
		 void *ctx);

/* Run until loop_stop(); returns 0 or -errno. */
int loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

#endif
