/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/kube_rig.h"

TestSuite(kube, .init = set_up, .fini = tear_down, .timeout = 120);

static bool happy(int fd, unsigned int n, const char *request _unused_)
{
	if (n == 0)
		return LIST(fd, 100, pod_text("a", 10, "1", NULL), pod_text("b", 20, "2", NULL));
	if (n == 1)
		return peer_say(fd, CHUNKED) &&
		       say_event(fd, "ADDED", pod_text("c", 101, "3", NULL)) &&
		       say_event(fd, "MODIFIED", pod_text("a", 102, "11", NULL)) &&
		       say_event(fd, "DELETED", pod_text("b", 103, "2", NULL)) &&
		       say_bookmark(fd, 150) && peer_say(fd, "0\r\n\r\n");
	return peer_say(fd, CHUNKED);
}

Test(kube, lists_then_watches_then_goes_on_from_the_newest_version)
{
	uint64_t timeout = 0;
	char *at, digits[4] = "";

	open_kube(happy, MAX_PODS);
	cr_assert(not(state().tried));
	await_requests(3);
	cr_assert(eq(sz, count_believed(), 2));
	cr_assert(eq(str, (char *)pod_of("a")->containers[0].id, (char *)"11"));
	cr_assert(eq(str, (char *)pod_of("c")->name, (char *)"pod-c"));
	cr_assert(pod_of("b") == NULL);
	cr_assert(asks(0, "GET /api/v1/pods?fieldSelector=spec.nodeName%3Dn%201%2F%C3%A9"
			  "&resourceVersion=0 HTTP/1.1\r\n"));
	cr_assert(asks(0, "\r\nAuthorization: Bearer tok-1\r\n"));
	cr_assert(asks(1, "&watch=1&allowWatchBookmarks=true&resourceVersion=100&timeoutSeconds="));
	cr_assert(asks(2, "&resourceVersion=150&"));
	at = strstr(peer.requests[1], "timeoutSeconds=");
	memcpy(digits, at + 15, 3);
	cr_assert(zero(int, parse_u64(digits, &timeout)));
	cr_assert(timeout >= 261 && timeout <= 319);
	cr_assert(eq(uint, peer.n_connections, 1), "the connection is kept");
	cr_assert(state().connected && state().tried);
	cr_assert(eq(u64, state().events, 3));
	cr_assert(zero(u64, state().relists + state().dropped));
	cr_assert(eq(u64, state().pods, 2));
	cr_assert(ne(u64, state().last_ok_ns, 0));
	cr_assert(eq(uint, n_logged, 1), "%s", log_text.text);
	cr_assert(strstr(log_text.text, "tok-1") == NULL);
}

static bool version_last(int fd, unsigned int n, const char *request _unused_)
{
	_sbuf_ struct sbuf text = SBUF_INIT(8192);

	if (n)
		return peer_say(fd, CHUNKED);
	sbuf_printf(&text,
		    "{\"apiVersion\":\"v1\",\"items\":[%s],\"kind\":\"PodList\","
		    "\"metadata\":{\"continue\":\"\",\"resourceVersion\":\"77\"}}",
		    pod_text("a", 10, "1", NULL));
	return peer_answer(fd, "200 OK", "", text.text);
}

Test(kube, finds_the_version_of_a_list_behind_its_items)
{
	open_kube(version_last, MAX_PODS);
	await_requests(2);
	cr_assert(asks(1, "&resourceVersion=77&"));
	cr_assert(eq(sz, count_believed(), 1));
}

static bool expires(int fd, unsigned int n, const char *request _unused_)
{
	switch (n) {
	case 0:
		return LIST(fd, 100, pod_text("a", 10, "1", NULL), pod_text("b", 20, "2", NULL));
	case 1:
		return peer_say(fd, CHUNKED) && say_gone(fd);
	case 2:
		return LIST(fd, 200, pod_text("b", 150, "22", NULL), pod_text("c", 160, "3", NULL));
	case 3:
		return peer_answer(fd, "410 Gone", "", "{\"kind\":\"Status\",\"code\":410}");
	case 4:
		return LIST(fd, 300, pod_text("c", 160, "3", NULL));
	default:
		return peer_say(fd, CHUNKED);
	}
}

Test(kube, lists_again_when_its_version_is_forgotten_and_says_who_is_gone)
{
	open_kube(expires, MAX_PODS);
	await_requests(4);
	cr_assert(asks(2, "&resourceVersion=0 "));
	cr_assert(pod_of("a") == NULL);
	cr_assert(eq(str, (char *)pod_of("b")->containers[0].id, (char *)"22"));
	await_requests(6);
	cr_assert(asks(4, "&resourceVersion=0 "));
	cr_assert(asks(5, "&resourceVersion=300&"));
	cr_assert(pod_of("b") == NULL);
	cr_assert(pod_of("c") != NULL);
	cr_assert(eq(u64, state().relists, 2));
	cr_assert(eq(uint, times_told("c"), 1), "it was the same all the time");
	cr_assert(eq(uint, n_logged, 1), "that is nothing to speak of: %s", log_text.text);
}

static bool reordered(int fd, unsigned int n, const char *request _unused_)
{
	if (n == 0)
		return LIST(fd, 100, pod_text("a", 50, "1", NULL));
	if (n > 1)
		return false;
	return peer_say(fd, CHUNKED) &&
	       say_event(fd, "MODIFIED", pod_text("a", 120, "new", NULL)) &&
	       say_event(fd, "MODIFIED", pod_text("a", 110, "old", NULL)) &&
	       say_event(fd, "MODIFIED", pod_text("a", 120, "new", NULL)) &&
	       say_event(fd, "DELETED", pod_text("b", 130, "2", NULL)) &&
	       say_event(fd, "ADDED", pod_text("b", 125, "2", NULL)) &&
	       say_event(fd, "ADDED", pod_text("c", 99, "3", NULL)) &&
	       say_event(fd, "DELETED", pod_text("c", 126, "3", NULL)) &&
	       say_event(fd, "MODIFIED", pod_text("c", 124, "3", NULL));
}

Test(kube, brings_back_nothing_that_is_older_than_what_it_knows)
{
	open_kube(reordered, MAX_PODS);
	await_events(8);
	cr_assert(eq(str, (char *)pod_of("a")->containers[0].id, (char *)"new"));
	cr_assert(pod_of("b") == NULL);
	cr_assert(pod_of("c") == NULL);
}

static bool mirrors(int fd, unsigned int n, const char *request _unused_)
{
	if (n == 0)
		return LIST(fd, 100, pod_text("m1", 50, "1", "hash"),
			    pod_text("victim", 60, "v", NULL));
	if (n > 1)
		return false;
	return peer_say(fd, CHUNKED) && say_event(fd, "ADDED", pod_text("m2", 110, "2", "hash")) &&
	       say_event(fd, "DELETED", pod_text("m1", 105, "1", "hash")) &&
	       say_event(fd, "MODIFIED", pod_text("m1", 104, "1", "hash")) &&
	       /* Somebody who would like to be somebody else. */
	       say_event(fd, "ADDED", pod_text("thief", 120, "t", "victim")) &&
	       say_event(fd, "DELETED", pod_text("thief", 121, "t", "victim"));
}

Test(kube, lets_no_mirror_of_before_and_no_thief_speak_for_a_pod)
{
	open_kube(mirrors, MAX_PODS);
	await_events(5);
	cr_assert(eq(str, (char *)pod_of("hash")->name, (char *)"pod-m2"));
	cr_assert(eq(str, (char *)pod_of("victim")->name, (char *)"pod-victim"));
	cr_assert(pod_of("m1") == NULL && pod_of("thief") == NULL);
	cr_assert(eq(u64, state().dropped, 1));
	cr_assert(eq(u64, state().pods, 2));
}

static bool repeats(int fd, unsigned int n, const char *request _unused_)
{
	if (n == 0)
		return LIST(fd, 100, pod_text("a", 50, "1", NULL));
	if (n > 1)
		return false;
	peer_say(fd, CHUNKED);
	for (unsigned int i = 0; i < 50; i++)
		say_event(fd, "MODIFIED", pod_text("a", 101 + i, "1", NULL));
	return say_event(fd, "MODIFIED", "{\"metadata\":{\"resourceVersion\":\"190\"}}") &&
	       say_event(fd, "UNHEARD-OF", pod_text("z", 191, "1", NULL));
}

Test(kube, does_not_repeat_itself)
{
	open_kube(repeats, MAX_PODS);
	await_events(51);
	take(MAX_PODS);
	cr_assert(eq(u64, n_told, 1));
	cr_assert(eq(u64, state().dropped, 1), "an object that is no pod");
}

static bool many(int fd, unsigned int n, const char *request _unused_)
{
	char uid[32];

	if (n == 0) {
		peer_say(fd, CHUNKED);
		peer_chunk(fd, "{\"kind\":\"PodList\",\"metadata\":{\"resourceVersion\":\"100\"},"
			       "\"items\":[");
		for (unsigned int i = 0; i < 20; i++) {
			snprintf(uid, sizeof(uid), "u%u", i);
			if (i)
				peer_chunk(fd, ",");
			peer_chunk(fd, pod_text(uid, 10, "1", NULL));
		}
		return peer_chunk(fd, "]}") && peer_say(fd, "0\r\n\r\n");
	}
	if (n > 1)
		return false;
	peer_say(fd, CHUNKED);
	for (unsigned int i = 0; i < 10; i++) {
		snprintf(uid, sizeof(uid), "u%u", i);
		say_event(fd, "DELETED", pod_text(uid, 101 + i, "1", NULL));
	}
	for (unsigned int i = 10; i < 20; i++) {
		snprintf(uid, sizeof(uid), "u%u", i);
		say_event(fd, "MODIFIED", pod_text(uid, 201 + i, "2", NULL));
	}
	return true;
}

static bool takes_one(void)
{
	/* One after the other, and now and then none at all. */
	static unsigned int turn;

	if (++turn % 8 == 0)
		take(1);
	return state().events == 20 && n_told >= 40;
}

Test(kube, loses_nothing_when_the_mailbox_is_full)
{
	mailbox_free(mailbox);
	cr_assert(zero(int, mailbox_new(1, &mailbox)));
	open_kube(many, MAX_PODS);
	cr_assert(peer_wait(loop, takes_one, 60000), "%zu told", (size_t)n_told);
	peer_wait(loop, never, 200);
	cr_assert(zero(sz, take(MAX_PODS)));
	cr_assert(eq(sz, count_believed(), 10));
	for (unsigned int i = 10; i < 20; i++) {
		char uid[32];

		snprintf(uid, sizeof(uid), "u%u", i);
		cr_assert(eq(str, (char *)pod_of(uid)->containers[0].id, (char *)"2"));
	}
}

Test(kube, knows_no_more_pods_than_it_may_and_says_so_once)
{
	open_kube(many, 5);
	await_events(20);
	cr_assert(le(u64, state().pods, 5));
	cr_assert(ge(u64, state().dropped, 15));
	cr_assert(eq(uint, n_logged, 2), "%s", log_text.text);
	cr_assert(strstr(log_text.text, "more than 5 pods") != NULL);
}
