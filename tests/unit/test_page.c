/* SPDX-License-Identifier: Apache-2.0 */
/* The page server over real sockets. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <libdeflate.h>
#include <time.h>

#include "platform/scope.h"
#include "unit/http_peer.h"
#include "unit/no_leaks.h"

static char *gunzip(const char *bytes, size_t len, size_t *ret_len)
{
	struct libdeflate_decompressor *d = libdeflate_alloc_decompressor();
	char *text = malloc(ANSWER_BYTES);

	cr_assert(eq(int,
		     (int)libdeflate_gzip_decompress(d, bytes, len, text, ANSWER_BYTES, ret_len),
		     (int)LIBDEFLATE_SUCCESS));
	libdeflate_free_decompressor(d);
	return text;
}

TestSuite(page, .fini = no_leaks, .timeout = 60);

Test(page, is_not_ready_before_the_first_snapshot)
{
	start(1, false);
	cr_expect(eq(int, request("GET", "/readyz", ""), 503));
	cr_expect(eq(int, request("GET", "/metrics", ""), 503));
	cr_expect(has("Content-Type: application/problem+json") && has("Retry-After: 1"));
	cr_expect(eq(int, request("GET", "/v1/snapshot", ""), 503));
	cr_expect(eq(int, request("GET", "/v1/snapshot?for=1s", ""), 503));
	cr_expect(eq(int, request("GET", "/healthz", ""), 200));

	cr_assert(eq(int, fake_node_publish(&node), 0));
	cr_expect(eq(int, request("GET", "/readyz", ""), 200));
	cr_expect(eq(str, body, "ready\n"));
	cr_expect(eq(int, request("GET", "/metrics", ""), 200));
	stop();
}

Test(page, says_what_health_says)
{
	start(1, false);
	cr_expect(eq(int, request("GET", "/healthz", ""), 200));
	cr_expect(eq(str, body, "ok: for a test\n"));
	well = false;
	cr_expect(eq(int, request("GET", "/healthz", ""), 503));
	cr_expect(eq(str, body, "not ok: for a test\n"));
	stop();
}

Test(page, serves_both_formats_by_accept)
{
	start(3, false);
	cr_assert(eq(int, fake_node_publish(&node), 0));
	cr_expect(eq(int, request("GET", "/metrics", ""), 200));
	cr_expect(has("Content-Type: text/plain; version=0.0.4; charset=utf-8"));
	cr_expect(has("Cache-Control: no-store") && has("Vary: Accept, Accept-Encoding"));
	cr_expect(shows("podjoule_node_joules_total"));
	cr_expect(not(shows("# EOF")));
	cr_expect(eq(int,
		     request("GET", "/metrics",
			     "Accept: application/openmetrics-text;version=1.0.0,*/*;q=0.1\r\n"),
		     200));
	cr_expect(has("Content-Type: application/openmetrics-text; version=1.0.0; charset=utf-8"));
	cr_expect(shows("# EOF\n"));
	stop();
}

Test(page, gzip_holds_the_same_bytes)
{
	static const char *const targets[] = { "/metrics", "/v1/snapshot", "/" };

	start(50, false);
	cr_assert(eq(int, fake_node_publish(&node), 0));
	for (size_t i = 0; i < ARRAY_SIZE(targets); i++) {
		for (int first = 0; first < 2; first++) {
			size_t len, plain_len;
			char *text, *plain;

			cr_expect(eq(int, fake_node_publish(&node), 0));
			if (first)
				request("GET", targets[i], "");
			cr_expect(eq(int, request("GET", targets[i], "Accept-Encoding: gzip\r\n"),
				     200));
			cr_expect(has("Content-Encoding: gzip"));
			text = gunzip(body, body_len, &len);
			cr_expect(eq(int, request("GET", targets[i], ""), 200));
			plain = body;
			plain_len = body_len;
			cr_expect(not(has("Content-Encoding: gzip")));
			cr_expect(eq(sz, len, plain_len), "%s", targets[i]);
			cr_expect(len == plain_len && memcmp(text, plain, len) == 0, "%s",
				  targets[i]);
			free(text);
		}
	}
	stop();
}

Test(page, moves_only_with_a_publish)
{
	char *before;

	start(3, false);
	cr_assert(eq(int, fake_node_publish(&node), 0));
	cr_expect(eq(int, request("GET", "/metrics", ""), 200));
	before = strdup(body);
	cr_expect(eq(int, request("GET", "/metrics", ""), 200));
	cr_expect(eq(str, body, before));
	cr_assert(eq(int, fake_node_publish(&node), 0));
	cr_expect(eq(int, request("GET", "/metrics", ""), 200));
	cr_expect(ne(str, body, before));
	free(before);
	stop();
}

Test(page, head_is_get_without_the_body)
{
	static const char *const targets[] = { "/metrics", "/v1/snapshot", "/",
					       "/healthz", "/readyz",      "/none" };

	start(2, false);
	cr_assert(eq(int, fake_node_publish(&node), 0));
	for (size_t i = 0; i < ARRAY_SIZE(targets); i++) {
		char length[64];
		int status = request("GET", targets[i], "");

		snprintf(length, sizeof(length), "Content-Length: %zu", body_len);
		cr_expect(eq(int, request("HEAD", targets[i], ""), status), "%s", targets[i]);
		cr_expect(eq(sz, body_len, 0), "%s", targets[i]);
		cr_expect(has(length), "%s: %s", targets[i], answer);
	}
	stop();
}

static void expect_problem(const char *method, const char *target, const char *fields, int status)
{
	char text[32];

	snprintf(text, sizeof(text), "\"status\":%d,", status);
	cr_expect(eq(int, request(method, target, fields), status), "%s %s", method, target);
	cr_expect(has("Content-Type: application/problem+json"), "%s %s", method, target);
	cr_expect(strstr(body, text) && strstr(body, "\"title\":\"") &&
			  strstr(body, "\"detail\":\"") && strstr(body, "\"type\":\""),
		  "%s", body);
	if (status == 405)
		cr_expect(has("Allow: GET, HEAD"));
}

Test(page, refuses_with_a_problem)
{
	static char long_field[9000];

	start(2, false);
	cr_assert(eq(int, fake_node_publish(&node), 0));
	expect_problem("GET", "/none", "", 404);
	expect_problem("GET", "/metrics/", "", 404);
	expect_problem("POST", "/metrics", "Content-Length: 0\r\n", 405);
	expect_problem("DELETE", "/healthz", "", 405);
	expect_problem("OPTIONS", "/", "", 405);
	expect_problem("POST", "/", "Content-Length: 5000000\r\n", 405);
	expect_problem("GET", "/metrics", "Content-Length: 5\r\n", 413);
	expect_problem("GET", "/metrics", "Transfer-Encoding: chunked\r\n", 413);
	snprintf(long_field, sizeof(long_field), "X-Long: %08500d\r\n", 0);
	expect_problem("GET", "/metrics", long_field, 431);
	/* 7 KiB of headers are within the limit. */
	snprintf(long_field, sizeof(long_field), "X-Long: %07000d\r\n", 0);
	cr_expect(eq(int, request("GET", "/metrics", long_field), 200));
	stop();
}

Test(page, a_refused_body_is_not_the_next_request)
{
	int fd;

	start(1, false);
	fd = dial();
	say(fd, "POST /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 40\r\n\r\n"
		"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n......");
	cr_expect(eq(int, hear(fd), 405));
	cr_expect(not(shows("ok: for a test")));
	close(fd);
	stop();
}

Test(page, health_listen_serves_nothing_else)
{
	start(1, true);
	cr_assert(eq(int, fake_node_publish(&node), 0));
	cr_expect(eq(int, request("GET", "/healthz", ""), 200));
	cr_expect(eq(int, request("GET", "/readyz", ""), 200));
	cr_expect(eq(int, request("GET", "/metrics", ""), 404));
	cr_expect(eq(int, request("GET", "/v1/snapshot", ""), 404));
	cr_expect(eq(int, request("GET", "/", ""), 404));
	stop();
}

Test(page, names_the_remedy_when_the_port_is_taken)
{
	struct page_config config = { .host = "127.0.0.1" };
	struct page_server *second = NULL;
	char want[128];

	start(1, false);
	config.port = page_port(server);
	config.pool = node.pool;
	cr_expect(eq(int, page_open(loop, &config, &second), -EADDRINUSE));
	cr_expect(second == NULL);
	snprintf(want, sizeof(want),
		 "page: cannot listen on 127.0.0.1:%u: Address already in use (another agent? try "
		 "--listen=127.0.0.1:0)",
		 config.port);
	cr_expect(ne(ptr, strstr(last_error, want), NULL), "%s", last_error);
	stop();
}

Test(page, listens_on_names_and_every_address)
{
	static const char *const hosts[] = { "localhost", "" };

	log_set_sink(keep_error);
	cr_assert(eq(int, fake_node_open(&node, 0), 0));
	cr_assert(eq(int, loop_new(&loop), 0));
	for (size_t i = 0; i < ARRAY_SIZE(hosts); i++) {
		const struct page_config config = { .host = hosts[i], .pool = node.pool };

		cr_assert(eq(int, page_open(loop, &config, &server), 0), "%s", last_error);
		cr_expect(ne(int, page_port(server), 0));
		close(dial());
		page_close(server);
	}
	loop_free(loop);
	fake_node_close(&node);
}

Test(page, slow_and_dead_clients_hold_nobody_up)
{
	const int small = 4096;
	struct timespec pause = { .tv_nsec = 1000000 };
	int dead[20], half = -1;

	start(500, false);
	cr_assert(eq(int, fake_node_publish(&node), 0));
	half = dial();
	say(half, "GET /metr");
	for (size_t i = 0; i < ARRAY_SIZE(dead); i++) {
		dead[i] = dial();
		setsockopt(dead[i], SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
		say(dead[i], "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n");
	}
	for (int i = 0; i < 20; i++) {
		uint64_t before_ns = host_monotonic_ns();

		cr_assert(eq(int, fake_node_publish(&node), 0));
		cr_expect(eq(int, request("GET", "/metrics", "Accept-Encoding: gzip\r\n"), 200));
		cr_expect(lt(u64, host_monotonic_ns() - before_ns, 5000000000u));
		nanosleep(&pause, NULL);
	}
	for (size_t i = 0; i < ARRAY_SIZE(dead); i++)
		close(dead[i]);
	close(half);
	stop();
}

Test(page, answers_what_an_interval_took)
{
	struct timespec pause = { .tv_nsec = 150000000 };
	uint64_t start_ns;
	int fd;

	start(2, false);
	cr_assert(eq(int, fake_node_publish(&node), 0));
	start_ns = host_monotonic_ns();
	fd = dial();
	say(fd, "GET /v1/snapshot?for=100ms HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
	nanosleep(&pause, NULL);
	/* The server is free while that one waits. */
	cr_expect(eq(int, request("GET", "/healthz", ""), 200));
	cr_assert(eq(int, fake_node_publish(&node), 0));
	cr_expect(eq(int, hear(fd), 200));
	cr_expect(has("Content-Type: application/json"));
	cr_expect(shows("\"zones\""));
	cr_expect(ge(u64, host_monotonic_ns() - start_ns, 100000000u));
	close(fd);
	stop();
}

Test(page, refuses_intervals_out_of_bounds)
{
	static const char *const bad[] = { "",    "5",   "99ms", "2h", "-1s", "1s%00",
					   "1s ", "NaN", "1e9s", "x",  "%ff", "5ss" };
	char target[64];

	start(2, false);
	cr_assert(eq(int, fake_node_publish(&node), 0));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		if (strchr(bad[i], ' '))
			continue;
		snprintf(target, sizeof(target), "/v1/snapshot?for=%s", bad[i]);
		expect_problem("GET", target, "", 400);
	}
	expect_problem("GET", "/v1/snapshot?for", "", 400);
	stop();
}

Test(page, lets_sleepers_go_when_it_closes)
{
	int fds[10], answered = 0, refused = 0;

	start(2, false);
	cr_assert(eq(int, fake_node_publish(&node), 0));
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		fds[i] = dial();
		say(fds[i], "GET /v1/snapshot?for=1h HTTP/1.1\r\nHost: a\r\n"
			    "Connection: close\r\n\r\n");
	}
	/* A request behind them: all of theirs have been taken when it is answered. */
	cr_expect(eq(int, request("GET", "/healthz", ""), 200));
	stop();
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		int status = hear(fds[i]);

		answered += status == 503;
		refused += status == 0;
		close(fds[i]);
	}
	cr_expect(eq(int, answered + refused, 10));
	cr_expect(ge(int, answered, 2)); /* those beyond the eight that may wait, at least */
	free(answer);
	answer = NULL;
}

Test(page, survives_random_requests)
{
	static const char *const pieces[] = { "GET ",
					      "/metrics",
					      " HTTP/1.1\r\n",
					      "Host: a\r\n",
					      "\r\n",
					      "HEAD ",
					      "?for=",
					      "%",
					      "\0",
					      "Accept: ",
					      "q=",
					      "gzip",
					      "POST / ",
					      "Content-Length: 9\r\n",
					      "\xff",
					      ":" };

	start(2, false);
	cr_assert(eq(int, fake_node_publish(&node), 0));
	for (int round = 0; round < 300; round++) {
		int fd = dial();

		for (int i = 0; i < 12; i++) {
			const char *piece = pieces[fake_random(&node) % ARRAY_SIZE(pieces)];

			if (send(fd, piece, strlen(piece) + !*piece, MSG_NOSIGNAL) < 0)
				break;
		}
		close(fd);
	}
	cr_expect(eq(int, request("GET", "/metrics", ""), 200));
	stop();
}

/* How far everything has been served twice to everybody. */
static uint64_t seen(void)
{
	return snapshot_seen(node.pool).twice_ns;
}

static uint64_t publish(void)
{
	cr_assert(eq(int, fake_node_publish(&node), 0));
	return node.t_ns;
}

Test(page, tells_what_scrapers_have_had_twice)
{
	uint64_t first, second;

	start(2, false);
	first = publish();
	cr_expect(eq(int, request("HEAD", "/metrics", ""), 200));
	cr_expect(eq(int, request("GET", "/v1/snapshot", ""), 200));
	cr_expect(eq(int, request("GET", "/metrics", ""), 200));
	cr_expect(eq(u64, seen(), UINT64_MAX), "one scrape is no scraper");
	second = publish();
	cr_expect(eq(int, request("GET", "/metrics", "Accept-Encoding: gzip\r\n"), 200));
	cr_expect(eq(u64, seen(), first));
	publish();
	cr_expect(eq(int, request("GET", "/", ""), 200));
	cr_expect(eq(u64, seen(), first), "only /metrics counts");
	cr_expect(eq(int, request("GET", "/metrics", ""), 200));
	cr_expect(eq(u64, seen(), second));
	stop();
}

/* Bytes of the answer that has begun; SIZE_MAX: its head is not whole. */
static size_t answer_length(void)
{
	const char *end = strstr(answer, "\r\n\r\n");
	const char *field = strcasestr(answer, "Content-Length: ");
	char digits[24];
	uint64_t n;

	if (!end || !field)
		return SIZE_MAX;
	snprintf(digits, sizeof(digits), "%.*s", (int)strspn(field + 16, "0123456789"), field + 16);
	cr_assert(eq(int, parse_u64(digits, &n), 0));
	return (size_t)(end + 4 - answer) + n;
}

/* One question on a connection that stays, and the whole of its answer. */
static void scrape_on(int fd)
{
	size_t len = 0, want = SIZE_MAX;

	say(fd, "GET /metrics HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n");
	while (len < want) {
		ssize_t n = recv(fd, answer + len, ANSWER_BYTES - len, 0);

		cr_assert(n > 0);
		len += (size_t)n;
		answer[len] = '\0';
		if (want == SIZE_MAX)
			want = answer_length();
	}
}

Test(page, tells_scrapers_of_one_address_apart)
{
	uint64_t first;
	int a, b;

	start(2, false);
	answer = malloc(ANSWER_BYTES + 1);
	first = publish();
	a = dial();
	b = dial();
	scrape_on(a);
	scrape_on(b);
	publish();
	scrape_on(b);
	publish();
	scrape_on(b);
	publish();
	scrape_on(b);
	cr_expect(gt(u64, seen(), first), "the other one has asked once: nobody yet");
	scrape_on(a);
	cr_expect(eq(u64, seen(), first), "now it is a scraper, and has had the first one twice");
	close(a);
	close(b);
	stop();
}
