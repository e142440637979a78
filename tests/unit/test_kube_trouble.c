/* SPDX-License-Identifier: Apache-2.0 */
#include "oom.h"
#include "unit/kube_rig.h"

TestSuite(kube_trouble, .init = set_up, .fini = tear_down, .timeout = 120);

static bool overloaded(int fd, unsigned int n, const char *request _unused_)
{
	if (n == 0)
		return peer_answer(fd, "429 Too Many Requests", "Retry-After: 2\r\n",
				   "Too many requests, please try again later.\n");
	if (n == 1)
		return LIST(fd, 100, pod_text("a", 10, "1", NULL));
	return peer_say(fd, CHUNKED);
}

Test(kube_trouble, comes_back_when_it_is_told_to)
{
	open_kube(overloaded, MAX_PODS);
	await_requests(1);
	await_requests(3);
	cr_assert(ge(u64, peer.at_ns[1] - peer.at_ns[0], 2000 * MS));
	cr_assert(le(u64, peer.at_ns[1] - peer.at_ns[0], 3500 * MS));
	cr_assert(state().connected);
	cr_assert(strstr(log_text.text, "429") != NULL);
	cr_assert(eq(uint, n_logged, 2), "%s", log_text.text);
}

static bool cut_watch(int fd, unsigned int n, const char *request _unused_)
{
	if (n == 0)
		return LIST(fd, 100, pod_text("a", 10, "1", NULL));
	if (n == 1) {
		peer_say(fd, CHUNKED);
		say_event(fd, "ADDED", pod_text("b", 101, "2", NULL));
		peer_chunk(fd, "{\"type\":\"MODIFIED\",\"object\":{\"metadata\":{\"uid\":\"a\"");
		return false;
	}
	peer_say(fd, CHUNKED);
	return say_bookmark(fd, 200);
}

Test(kube_trouble, keeps_what_it_knows_when_it_is_cut_off_and_goes_on_from_there)
{
	open_kube(cut_watch, MAX_PODS);
	await_requests(3);
	cr_assert(asks(2, "&resourceVersion=101&"));
	cr_assert(eq(sz, count_believed(), 2));
	peer_wait(loop, never, 100);
	cr_assert(state().connected);
	cr_assert(zero(u64, state().relists));
	cr_assert(eq(uint, n_logged, 3), "there, lost, there: %s", log_text.text);
}

static bool garbage(int fd, unsigned int n, const char *request _unused_)
{
	if (n == 0 || n == 2)
		return LIST(fd, 100 + n, pod_text("a", 10, "1", NULL));
	if (n == 1)
		return peer_say(fd, CHUNKED) && peer_chunk(fd, "{\"type\":}garbage\n");
	return peer_say(fd, CHUNKED);
}

Test(kube_trouble, trusts_no_watch_that_it_cannot_read)
{
	open_kube(garbage, MAX_PODS);
	await_requests(4);
	cr_assert(asks(2, "&resourceVersion=0 "));
	cr_assert(eq(sz, count_believed(), 1));
}

static bool cut_list(int fd, unsigned int n, const char *request _unused_)
{
	if (n == 0)
		return LIST(fd, 100, pod_text("a", 10, "1", NULL), pod_text("b", 20, "2", NULL));
	if (n == 1)
		return peer_say(fd, CHUNKED) && say_gone(fd);
	if (n == 2) {
		peer_say(fd, CHUNKED);
		peer_chunk(fd, "{\"kind\":\"PodList\",\"metadata\":{\"resourceVersion\":\"200\"},"
			       "\"items\":[");
		peer_chunk(fd, pod_text("b", 150, "22", NULL));
		return false;
	}
	if (n == 3)
		return peer_answer(fd, "200 OK", "", "{\"kind\":\"Status\",\"items\":[]}");
	if (n == 4)
		return peer_answer(fd, "200 OK", "",
				   "{\"kind\":\"PodList\",\"metadata\":{\"resourceVersion\":"
				   "\"300\"},\"items\":[]");
	return peer_say(fd, CHUNKED);
}

Test(kube_trouble, declares_nobody_gone_for_a_list_that_was_not_whole)
{
	open_kube(cut_list, MAX_PODS);
	await_requests(6);
	cr_assert(not(state().connected));
	cr_assert(eq(sz, count_believed(), 2));
	cr_assert(eq(str, (char *)pod_of("b")->containers[0].id, (char *)"22"));
	cr_assert(zero(u64, state().relists));
	cr_assert(asks(5, "&resourceVersion=0 "));
}

static bool behind(int fd, unsigned int n, const char *request _unused_)
{
	switch (n) {
	case 0:
		return LIST(fd, 100, pod_text("a", 10, "1", NULL), pod_text("b", 90, "2", NULL));
	case 1:
		return peer_say(fd, CHUNKED) && say_gone(fd);
	case 2: /* of a server that has not caught up */
		return LIST(fd, 50, pod_text("a", 10, "1", NULL));
	case 3: /* of a store that was restored: there never was a b, and a is as it was once */
		return LIST(fd, 60, pod_text("a", 5, "0", NULL));
	case 4:
		peer_say(fd, CHUNKED);
		return say_event(fd, "MODIFIED", pod_text("a", 61, "9", NULL));
	default:
		return peer_say(fd, CHUNKED);
	}
}

Test(kube_trouble, asks_for_the_newest_list_when_one_is_older_than_what_it_knows)
{
	open_kube(behind, MAX_PODS);
	await_requests(3);
	cr_assert(eq(sz, count_believed(), 2));
	await_requests(5);
	cr_assert(not(asks(3, "resourceVersion")));
	cr_assert(eq(sz, count_believed(), 1));
	cr_assert(asks(4, "&resourceVersion=60&"));
	await_events(1);
	cr_assert(eq(str, (char *)pod_of("a")->containers[0].id, (char *)"9"));
}

static bool wants_token_two(int fd, unsigned int n, const char *request)
{
	if (!strstr(request, "Bearer tok-2\r\n"))
		return peer_answer(fd, "401 Unauthorized", "", "{\"code\":401}");
	if (strstr(request, "resourceVersion=0"))
		return LIST(fd, 100, pod_text("a", 10, "1", NULL));
	(void)n;
	return peer_say(fd, CHUNKED);
}

static void write_token(const char *text, size_t len)
{
	_close_ int fd = open(token_path, O_WRONLY | O_TRUNC | O_CLOEXEC);

	cr_assert(eq(sz, (size_t)write(fd, text, len), len));
}

static bool is_tried(void)
{
	return state().tried;
}

static bool is_connected(void)
{
	return state().connected;
}

Test(kube_trouble, reads_its_token_before_every_request)
{
	open_kube(wants_token_two, MAX_PODS);
	cr_assert(peer_wait(loop, is_tried, 20000));
	cr_assert(not(state().connected));
	cr_assert(strstr(log_text.text, "401") != NULL);
	write_token("\r\n tok-2\n\n", 10);
	cr_assert(peer_wait(loop, is_connected, 60000));
	cr_assert(strstr(log_text.text, "tok-") == NULL, "%s", log_text.text);
}

Test(kube_trouble, sends_no_token_that_is_none)
{
	static const struct {
		const char *text;
		size_t len;
	} bad[] = { { "a\r\nX: y", 7 }, { "", 0 }, { "\n", 1 }, { "a b", 3 }, { "a\0b", 3 } };

	open_kube(wants_token_two, MAX_PODS);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		write_token(bad[i].text, bad[i].len);
		peer_wait(loop, never, 150);
	}
	cr_assert(zero(uint, peer.n_requests));
	cr_assert(state().tried && !state().connected);
	cr_assert(strstr(log_text.text, "no token in") != NULL);
	unlink(token_path);
	peer_wait(loop, never, 1500);
	cr_assert(zero(uint, peer.n_requests));
}

static bool forbids(int fd, unsigned int n _unused_, const char *request _unused_)
{
	return peer_answer(fd, "403 Forbidden", "X-Content-Type-Options: nosniff\r\n",
			   "{\"kind\":\"Status\",\"message\":\"pods is forbidden\",\"code\":403}");
}

Test(kube_trouble, names_the_right_that_it_lacks_and_asks_seldom)
{
	open_kube(forbids, MAX_PODS);
	cr_assert(peer_wait(loop, is_tried, 20000));
	peer_wait(loop, never, 2500);
	cr_assert(eq(uint, peer.n_requests, 1));
	cr_assert(eq(uint, n_logged, 1));
	cr_assert(strstr(log_text.text, "get, list and watch pods") != NULL);
}

static bool unreadable(int fd, unsigned int n, const char *request _unused_)
{
	if (n < 3)
		return peer_answer(fd, "503 Service Unavailable", "", "");
	return n == 3 ? LIST(fd, 100, pod_text("a", 10, "1", NULL)) : peer_say(fd, CHUNKED);
}

Test(kube_trouble, speaks_once_of_a_loss_that_lasts)
{
	open_kube(unreadable, MAX_PODS);
	await_requests(5);
	cr_assert(eq(uint, n_logged, 2), "%s", log_text.text);
}

Test(kube_trouble, refuses_a_server_that_is_none)
{
	static const char *const servers[] = { "",
					       "n1:6443",
					       "ftp://n1",
					       "https://",
					       "https:///x",
					       "https://user:secret@n1",
					       "https://n1/?x=y",
					       "http://n1\r\nX: y" };
	struct kube_config config = { .node = "n1", .max_pods = 1 };
	struct kube *none = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(servers); i++) {
		config.server = servers[i];
		sbuf_reset(&log_text);
		n_logged = 0;
		cr_expect(eq(int, kube_open(loop, fetcher, &config, mailbox, &none), -EINVAL), "%s",
			  servers[i]);
		cr_expect(eq(uint, n_logged, 1));
		cr_expect(strstr(log_text.text, "--kube-server") != NULL);
		cr_expect(strstr(log_text.text, "secret") == NULL);
	}
	config.server = "https://n1";
	config.node = "";
	cr_expect(eq(int, kube_open(loop, fetcher, &config, mailbox, &none), -EINVAL));
	unsetenv("KUBERNETES_SERVICE_HOST");
	config.server = NULL;
	n_logged = 0;
	cr_expect(eq(int, kube_open(loop, fetcher, &config, mailbox, &none), -ENOENT));
	cr_expect(zero(uint, n_logged), "that is no mistake of anybody");
}

Test(kube_trouble, opens_or_says_that_there_is_no_memory)
{
	static const char *const labels[] = { "app", "team", NULL };
	const struct kube_config config = { .server = "http://127.0.0.1:1",
					    .token_file = "/nonexistent",
					    .ca_file = "/nonexistent",
					    .node = "n1",
					    .labels = labels,
					    .max_pods = 10 };

	OOM_SWEEP(n)
	{
		struct kube *one = NULL;
		int r = kube_open(loop, fetcher, &config, mailbox, &one);

		cr_assert(eq(int, r, oom_stop() ? -ENOMEM : 0));
		cr_assert(eq(int, one != NULL, r == 0));
		kube_close(one);
	}
}
