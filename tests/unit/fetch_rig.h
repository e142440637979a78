/* SPDX-License-Identifier: Apache-2.0 */
/* Fetch rig: a client, a scripted peer, and what came of each fetch. */
#ifndef PODJOULE_FETCH_RIG_H
#define PODJOULE_FETCH_RIG_H

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "oom.h"
#include "platform/fetch.h"
#include "platform/sbuf.h"
#include "unit/no_leaks.h"
#include "unit/scripted_peer.h"

static struct loop *loop;
static struct fetcher *fetcher;
static struct peer peer;
static bool peer_is_open;

/* What came of a fetch. */
struct heard {
	struct fetch_job *job;
	struct sbuf body;
	long head, status;
	struct fetch_result result;
	int n_head, n_done;
	int refuse;       /* what on_data returns */
	bool cancel;      /* from inside on_data */
	bool pause_again; /* behind every piece */
	int again;        /* start so many more in on_done */
};
static struct heard heard[4];

static inline void set_up(void)
{
	cr_assert(zero(int, loop_new(&loop)));
	cr_assert(zero(int, fetcher_new(loop, &fetcher)));
	for (size_t i = 0; i < ARRAY_SIZE(heard); i++)
		heard[i].body = (struct sbuf)SBUF_INIT(8 << 20);
}

static inline void tear_down(void)
{
	fetcher_free(fetcher);
	loop_free(loop);
	if (peer_is_open)
		peer_close(&peer);
	for (size_t i = 0; i < ARRAY_SIZE(heard); i++)
		sbuf_free(&heard[i].body);
	no_leaks();
}

static inline void open_peer(peer_script script)
{
	peer_open(&peer, script);
	peer_is_open = true;
}

static inline void on_head(void *ctx, long status)
{
	struct heard *to = ctx;

	to->head = status;
	to->n_head++;
}

static inline int on_data(void *ctx, long status, const char *bytes, size_t len)
{
	struct heard *to = ctx;

	to->status = status;
	cr_assert(eq(int, to->n_head, 1), "the head comes first");
	cr_assert(zero(int, to->n_done));
	sbuf_append(&to->body, bytes, len);
	if (to->cancel)
		fetch_cancel(to->job);
	if (to->pause_again)
		fetch_pause(to->job, 1);
	return to->refuse;
}

static inline void start(struct heard *to, const char *path, const struct fetch *like);

static inline void on_done(void *ctx, const struct fetch_result *result)
{
	struct heard *to = ctx;

	to->result = *result;
	to->n_done++;
	fetch_cancel(to->job); /* too late, and harmless */
	to->job = NULL;
	if (to->again) {
		to->again--;
		to->n_head = to->n_done = 0;
		start(to, "/again", NULL);
	}
}

static inline void start(struct heard *to, const char *path, const struct fetch *like)
{
	struct fetch fetch = like ? *like : (struct fetch){ 0 };
	char url[256];

	snprintf(url, sizeof(url), "%s%s", peer.url, path);
	fetch.url = fetch.url ? fetch.url : url;
	fetch.on_head = on_head;
	fetch.on_data = on_data;
	fetch.on_done = on_done;
	fetch.ctx = to;
	cr_assert(zero(int, fetch_start(fetcher, &fetch, &to->job)));
	cr_assert(zero(int, to->n_done), "never before it has returned");
}

static inline bool is_done(void)
{
	return heard[0].n_done;
}

static inline void require_done(void)
{
	cr_assert(peer_wait(loop, is_done, 20000));
	cr_assert(eq(int, heard[0].n_done, 1));
	cr_assert(eq(ptr, heard[0].job, NULL));
}

static inline bool hello(int fd, unsigned int n _unused_, const char *request _unused_)
{
	return peer_answer(fd, "200 OK", "", "hello");
}

static inline bool hang(int fd, unsigned int n _unused_, const char *request _unused_)
{
	return peer_say(fd, CHUNKED "2\r\nab\r\n");
}

static inline bool never(void)
{
	return false;
}

#endif
