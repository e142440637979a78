/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/fetch_rig.h"

TestSuite(fetch_jobs, .init = set_up, .fini = tear_down, .timeout = 60);

Test(fetch_jobs, ends_with_what_a_callback_refuses_with)
{
	open_peer(hello);
	heard[0].refuse = -ENOTTY;
	start(&heard[0], "/", NULL);
	require_done();
	cr_assert(eq(int, heard[0].result.error, -ENOTTY));
}

static bool is_second_done(void)
{
	return heard[1].n_done;
}

Test(fetch_jobs, says_no_more_once_it_is_cancelled)
{
	open_peer(hang);
	heard[0].cancel = true;
	start(&heard[0], "/", NULL);
	start(&heard[2], "/", NULL);
	fetch_cancel(heard[2].job);
	fetch_cancel(NULL);
	/* The one that is not cancelled ends, and late enough to prove it of the others. */
	start(&heard[1], "/", &(const struct fetch){ .limit_ns = 300 * MS });
	cr_assert(peer_wait(loop, is_second_done, 20000));
	cr_assert(eq(sz, heard[0].body.len, 2));
	cr_assert(zero(int, heard[0].n_done));
	cr_assert(zero(int, heard[2].n_done + heard[2].n_head));
}

static int cancel_other(void *ctx _unused_, long status _unused_, const char *bytes _unused_,
			size_t len _unused_)
{
	fetch_cancel(heard[1].job);
	if (!heard[2].n_done && !heard[2].job)
		start(&heard[2], "/third", NULL);
	return 0;
}

static bool slow_for_others(int fd, unsigned int n, const char *request)
{
	return n ? hello(fd, n, request) : hang(fd, n, request);
}

static bool is_third_done(void)
{
	return heard[2].n_done;
}

Test(fetch_jobs, lets_a_callback_cancel_another_and_start_a_third)
{
	char url[80];
	struct fetch fetch = { .url = url, .on_data = cancel_other, .on_done = on_done };

	open_peer(slow_for_others);
	start(&heard[1], "/hangs", NULL);
	snprintf(url, sizeof(url), "%s/", peer.url);
	fetch.ctx = &heard[0];
	cr_assert(zero(int, fetch_start(fetcher, &fetch, &heard[0].job)));
	cr_assert(peer_wait(loop, is_third_done, 20000));
	cr_assert(zero(int, heard[2].result.error), "%s", heard[2].result.why);
	cr_assert(zero(int, heard[1].n_done));
}

#define FLOOD (3u << 20)

static bool flood(int fd, unsigned int n _unused_, const char *request _unused_)
{
	static char block[65536];
	char head[128];

	snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %u\r\n\r\n", FLOOD);
	memset(block, 'f', sizeof(block));
	if (!peer_say(fd, head))
		return false;
	for (unsigned int i = 0; i < FLOOD / sizeof(block); i++)
		if (!peer_send(fd, block, sizeof(block)))
			return false;
	return true;
}

static struct loop_timer *resume_timer;

static void resume(void *ctx _unused_)
{
	if (heard[0].job)
		fetch_pause(heard[0].job, 0);
	loop_timer_set(resume_timer, host_monotonic_ns() + MS / 2);
}

static int pausing(void *ctx, long status, const char *bytes, size_t len)
{
	cr_assert(le(sz, len, 16384), "a piece is small");
	return on_data(ctx, status, bytes, len);
}

Test(fetch_jobs, holds_the_peer_up_and_loses_nothing)
{
	char url[80];
	struct fetch fetch = { .url = url,
			       .on_head = on_head,
			       .on_data = pausing,
			       .on_done = on_done,
			       .ctx = &heard[0],
			       .silence_limit_ns = 2000 * MS };

	open_peer(flood);
	snprintf(url, sizeof(url), "%s/", peer.url);
	heard[0].pause_again = true;
	cr_assert(zero(int, fetch_start(fetcher, &fetch, &heard[0].job)));
	cr_assert(zero(int, loop_timer_new(loop, resume, NULL, &resume_timer)));
	loop_timer_set(resume_timer, 1);
	require_done();
	loop_timer_free(resume_timer);
	cr_assert(zero(int, heard[0].result.error), "%s", heard[0].result.why);
	cr_assert(eq(sz, heard[0].body.len, FLOOD));
}

Test(fetch_jobs, brings_nothing_and_blames_nobody_while_it_is_paused)
{
	const struct fetch fetch = { .silence_limit_ns = 100 * MS };

	open_peer(flood);
	start(&heard[0], "/", &fetch);
	fetch_pause(heard[0].job, 1);
	cr_assert(not(peer_wait(loop, never, 350)));
	cr_assert(zero(int, heard[0].n_done));
	cr_assert(zero(sz, heard[0].body.len));
	fetch_pause(heard[0].job, 0);
	require_done();
	cr_assert(zero(int, heard[0].result.error), "%s", heard[0].result.why);
	cr_assert(eq(sz, heard[0].body.len, FLOOD));
}

Test(fetch_jobs, lets_go_of_what_is_under_way_when_it_ends)
{
	open_peer(hang);
	for (int i = 0; i < 3; i++)
		start(&heard[i], "/", NULL);
	peer_wait(loop, never, 50);
	fetcher_free(fetcher);
	fetcher = NULL;
	for (int i = 0; i < 3; i++)
		cr_assert(zero(int, heard[i].n_done));
}

Test(fetch_jobs, trusts_no_file_that_is_not_there_and_no_plain_answer_over_tls)
{
	char url[80];
	struct fetch fetch = { .url = url, .ca_file = "/nonexistent/ca.crt" };

	open_peer(hello);
	snprintf(url, sizeof(url), "https%.60s/", peer.url + 4);
	start(&heard[0], "", &fetch);
	require_done();
	cr_assert(eq(int, heard[0].result.error, -EKEYREJECTED), "%s", heard[0].result.why);
	fetch.ca_file = NULL;
	heard[0].n_done = 0;
	/* The peer takes the first bytes of a handshake for a request that never ends. */
	fetch.connect_limit_ns = 500 * MS;
	start(&heard[0], "", &fetch);
	require_done();
	cr_assert(lt(int, heard[0].result.error, 0));
	cr_assert(zero(sz, heard[0].body.len));
}

Test(fetch_jobs, ends_or_works_whichever_allocation_fails)
{
	open_peer(hello);
	OOM_SWEEP(n)
	{
		struct fetcher *other = NULL;
		struct fetch_job *job = NULL;
		char url[80];
		struct fetch fetch = { .url = url,
				       .on_head = on_head,
				       .on_data = on_data,
				       .on_done = on_done,
				       .ctx = &heard[0],
				       .silence_limit_ns = 20000 * MS };
		int r = fetcher_new(loop, &other);

		snprintf(url, sizeof(url), "%s/", peer.url);
		heard[0].n_head = heard[0].n_done = 0;
		if (!r)
			r = fetch_start(other, &fetch, &job);
		heard[0].job = job;
		if (!r)
			require_done();
		bool failed = oom_stop();

		cr_assert(failed || (!r && !heard[0].result.error));
		cr_assert(r == 0 || r == -ENOMEM);
		fetcher_free(other);
	}
}
