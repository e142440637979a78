/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/fetch_rig.h"

TestSuite(fetch, .init = set_up, .fini = tear_down, .timeout = 60);

Test(fetch, brings_a_body_and_its_status)
{
	open_peer(hello);
	start(&heard[0], "/x?y=z", NULL);
	require_done();
	cr_assert(zero(int, heard[0].result.error), "%s", heard[0].result.why);
	cr_assert(eq(long, heard[0].result.status, 200));
	cr_assert(eq(long, heard[0].status, 200));
	cr_assert(eq(str, heard[0].body.text, (char *)"hello"));
	cr_assert(zero(int, strncmp(peer.requests[0], "GET /x?y=z HTTP/1.1\r\n", 21)));
}

Test(fetch, keeps_the_connection_for_the_next_request)
{
	open_peer(hello);
	heard[0].again = 9;
	start(&heard[0], "/", NULL);
	require_done();
	cr_assert(eq(uint, peer.n_requests, 10));
	cr_assert(eq(uint, peer.n_connections, 1));
	cr_assert(eq(sz, heard[0].body.len, 50));
}

Test(fetch, says_what_it_was_told_to_and_minds_no_proxy)
{
	static const char *const headers[] = { "X-A: 1", "Authorization: Bearer t", NULL };
	const struct fetch fetch = {
		.method = "PATCH", .headers = headers, .body = "a\0b", .body_len = 3
	};

	setenv("http_proxy", "http://127.0.0.1:1", 1);
	setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
	open_peer(hello);
	start(&heard[0], "/p", &fetch);
	require_done();
	cr_assert(zero(int, heard[0].result.error), "%s", heard[0].result.why);
	cr_assert(zero(int, strncmp(peer.requests[0], "PATCH /p HTTP/1.1\r\n", 19)));
	cr_assert(strstr(peer.requests[0], "\r\nX-A: 1\r\n") != NULL);
	cr_assert(strstr(peer.requests[0], "\r\nAuthorization: Bearer t\r\n") != NULL);
	cr_assert(strstr(peer.requests[0], "\r\nContent-Length: 3\r\n") != NULL);
	cr_assert(strstr(peer.requests[0], "Expect:") == NULL);
	cr_assert(strstr(peer.requests[0], "Cookie:") == NULL);
}

static bool in_chunks(int fd, unsigned int n _unused_, const char *request _unused_)
{
	static const char answer[] = CHUNKED "3\r\nabc\r\n1;x=y\r\nd\r\n"
					     "a\r\nefghijklmn\r\n0\r\nTrailer: 1\r\n\r\n";

	for (size_t i = 0; i < sizeof(answer) - 1; i++) {
		if (!peer_send(fd, answer + i, 1))
			return false;
		usleep(200);
	}
	return true;
}

Test(fetch, puts_chunks_together_that_come_byte_by_byte)
{
	open_peer(in_chunks);
	start(&heard[0], "/", NULL);
	require_done();
	cr_assert(zero(int, heard[0].result.error), "%s", heard[0].result.why);
	cr_assert(eq(str, heard[0].body.text, (char *)"abcdefghijklmn"));
	cr_assert(eq(int, heard[0].n_head, 1), "trailers are no head");
}

static bool redirect(int fd, unsigned int n _unused_, const char *request _unused_)
{
	return peer_answer(fd, "302 Found", "Location: /elsewhere\r\nSet-Cookie: a=b\r\n", "no");
}

Test(fetch, follows_nobody)
{
	open_peer(redirect);
	start(&heard[0], "/", NULL);
	require_done();
	cr_assert(eq(long, heard[0].result.status, 302));
	cr_assert(eq(uint, peer.n_requests, 1));
}

static const char *retry_fields;

static bool busy(int fd, unsigned int n _unused_, const char *request _unused_)
{
	return peer_answer(fd, "429 Too Many Requests", retry_fields, "later");
}

Test(fetch, reads_when_to_come_back)
{
	static char date[64];
	time_t then = time(NULL) + 30;
	struct tm tm;
	const struct {
		const char *fields;
		uint64_t least_s, most_s;
	} cases[] = { { "Retry-After: 7\r\n", 7, 7 },
		      { "retry-after:0\r\n", 0, 0 },
		      { "", 0, 0 },
		      { "Retry-After: soon\r\n", 0, 0 },
		      { "Retry-After: -5\r\n", 0, 0 },
		      { "Retry-After: 99999999999999999999\r\n", 0, 86400 },
		      { "Retry-After: Thu, 01 Jan 1970 00:00:00 GMT\r\n", 0, 0 },
		      { date, 25, 30 } };

	strftime(date, sizeof(date), "Retry-After: %a, %d %b %Y %H:%M:%S GMT\r\n",
		 gmtime_r(&then, &tm));
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		retry_fields = cases[i].fields;
		if (!peer_is_open)
			open_peer(busy);
		heard[0].n_head = heard[0].n_done = 0;
		start(&heard[0], "/", NULL);
		require_done();
		cr_expect(zero(int, heard[0].result.error));
		cr_expect(eq(long, heard[0].result.status, 429));
		cr_expect(ge(u64, heard[0].result.retry_after_ns, cases[i].least_s * 1000 * MS),
			  "%s", cases[i].fields);
		cr_expect(le(u64, heard[0].result.retry_after_ns, cases[i].most_s * 1000 * MS),
			  "%s", cases[i].fields);
	}
}

#define ANY_ERROR 1

static const char *bad_answer;

static bool say_bad(int fd, unsigned int n _unused_, const char *request _unused_)
{
	peer_say(fd, bad_answer);
	return false;
}

Test(fetch, ends_with_an_error_when_the_answer_is_broken)
{
	static char long_line[200000];
	const struct {
		const char *answer;
		int error;
	} cases[] = {
		{ "", -ECONNRESET },
		{ "hello\r\n\r\n", -EBADMSG },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", -ECONNRESET },
		{ CHUNKED "5\r\nab", -ECONNRESET },
		{ CHUNKED "2\r\nab\r\n", -ECONNRESET },
		{ CHUNKED "zz\r\nab\r\n0\r\n\r\n", 0 },
		{ "HTTP/1.1 200 OK\r\nX: ", ANY_ERROR }, /* and more of the same line */
		{ "HTTP/1.1 200 OK\r\n\x01\xff\r\n", 0 },
		{ "HTTP/1.1 999999999999 OK\r\n\r\n", 0 },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nabc", 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		bad_answer = cases[i].answer;
		if (cases[i].error == ANY_ERROR) {
			memset(long_line, 'x', sizeof(long_line) - 1);
			memcpy(long_line, bad_answer, strlen(bad_answer));
			bad_answer = long_line;
		}
		if (!peer_is_open)
			open_peer(say_bad);
		heard[0].n_head = heard[0].n_done = 0;
		start(&heard[0], "/", NULL);
		require_done();
		if (cases[i].error == ANY_ERROR)
			cr_expect(lt(int, heard[0].result.error, 0));
		else if (cases[i].error)
			cr_expect(eq(int, heard[0].result.error, cases[i].error), "%zu: %s", i,
				  heard[0].result.why);
		if (heard[0].result.error)
			cr_expect(ne(chr, heard[0].result.why[0], '\0'));
		for (const char *c = heard[0].result.why; *c; c++)
			cr_expect(ge(int, (unsigned char)*c, ' '));
	}
}

static bool endless_head(int fd, unsigned int n _unused_, const char *request _unused_)
{
	peer_say(fd, "HTTP/1.1 200 OK\r\n");
	while (peer_say(fd, "X-Field: a value that goes on and on\r\n"))
		;
	return false;
}

Test(fetch, bounds_the_head)
{
	open_peer(endless_head);
	start(&heard[0], "/", NULL);
	require_done();
	cr_assert(eq(int, heard[0].result.error, -E2BIG));
}

static bool drip(int fd, unsigned int n _unused_, const char *request _unused_)
{
	bool ok = peer_say(fd, CHUNKED);

	for (int i = 0; i < 30 && ok; i++) {
		ok = peer_chunk(fd, "x");
		usleep(20000);
	}
	return ok && peer_say(fd, "0\r\n\r\n");
}

Test(fetch, gives_up_on_who_is_silent)
{
	const struct fetch fetch = { .silence_limit_ns = 150 * MS };
	uint64_t begin = host_monotonic_ns();

	open_peer(hang);
	start(&heard[0], "/", &fetch);
	require_done();
	cr_assert(eq(int, heard[0].result.error, -ETIMEDOUT));
	cr_assert(eq(long, heard[0].result.status, 200));
	cr_assert(eq(sz, heard[0].body.len, 2));
	cr_assert(ge(u64, host_monotonic_ns() - begin, 150 * MS));
}

Test(fetch, waits_for_who_is_slow_but_never_silent)
{
	const struct fetch fetch = { .silence_limit_ns = 250 * MS };

	open_peer(drip);
	start(&heard[0], "/", &fetch);
	require_done();
	cr_assert(zero(int, heard[0].result.error), "%s", heard[0].result.why);
	cr_assert(eq(sz, heard[0].body.len, 30));
}

Test(fetch, gives_up_when_all_of_it_takes_too_long)
{
	const struct fetch fetch = { .limit_ns = 200 * MS };

	open_peer(drip);
	start(&heard[0], "/", &fetch);
	require_done();
	cr_assert(eq(int, heard[0].result.error, -ETIMEDOUT));
}

Test(fetch, says_who_cannot_be_reached)
{
	const struct fetch refused = { .url = "http://127.0.0.1:1/" };
	const struct fetch unresolved = { .url = "http://name.invalid./",
					  .connect_limit_ns = 5000 * MS };
	const struct fetch nobody = { .url = "http:///" };

	start(&heard[0], "", &refused);
	require_done();
	cr_assert(eq(int, heard[0].result.error, -ECONNREFUSED));
	cr_assert(zero(long, heard[0].result.status));
	heard[0].n_done = 0;
	start(&heard[0], "", &unresolved);
	require_done();
	cr_assert(lt(int, heard[0].result.error, 0));
	heard[0].n_done = 0;
	start(&heard[0], "", &nobody);
	require_done();
	cr_assert(eq(int, heard[0].result.error, -EINVAL));
}

Test(fetch, refuses_what_is_no_request)
{
	static const char *const broken[] = { "X: a\r\nY: b", NULL };
	static const char *const urls[] = { "file:///etc/passwd", "ftp://a/", "", "x" };
	struct fetch fetch = { .on_done = on_done };
	struct fetch_job *job;

	for (size_t i = 0; i < ARRAY_SIZE(urls); i++) {
		fetch.url = urls[i];
		cr_expect(eq(int, fetch_start(fetcher, &fetch, &job), -EINVAL));
	}
	fetch.url = "http://127.0.0.1:1/";
	fetch.headers = broken;
	cr_expect(eq(int, fetch_start(fetcher, &fetch, &job), -EINVAL));
}
