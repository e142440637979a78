/* SPDX-License-Identifier: Apache-2.0 */
/* Kube rig: the watch of pods between a scripted API server and a mailbox. */
#ifndef PODJOULE_KUBE_RIG_H
#define PODJOULE_KUBE_RIG_H

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "names/kube.h"
#include "platform/log.h"
#include "platform/parse.h"
#include "platform/sbuf.h"
#include "unit/no_leaks.h"
#include "unit/scripted_peer.h"

#define MAX_PODS 64

static struct loop *loop;
static struct fetcher *fetcher;
static struct mailbox *mailbox;
static struct kube *kube;
static struct peer peer;
static char token_path[] = "/tmp/podjoule-token-XXXXXX";
static struct sbuf log_text = SBUF_INIT(1 << 20);
static unsigned int n_logged;

/* What the sampler would believe: the newest word on each pod. */
static struct {
	char key[PATH_MAX_ID];
	struct pod *pod; /* NULL: gone */
	unsigned int told;
} believed[MAX_PODS];
static size_t n_believed;
static uint64_t n_told;

static inline void keep_log(enum log_level level, const char *line)
{
	if (level > LOG_LEVEL_INFO)
		return;
	sbuf_puts(&log_text, line);
	sbuf_putc(&log_text, '\n');
	n_logged++;
}

static inline void set_up(void)
{
	cr_assert(zero(int, loop_new(&loop)));
	cr_assert(zero(int, fetcher_new(loop, &fetcher)));
	cr_assert(zero(int, mailbox_new(MAX_PODS, &mailbox)));
	log_open("test", LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
	log_set_sink(keep_log);
}

static inline void tear_down(void)
{
	kube_close(kube);
	fetcher_free(fetcher);
	mailbox_free(mailbox);
	loop_free(loop);
	if (peer.script)
		peer_close(&peer);
	for (size_t i = 0; i < n_believed; i++)
		pod_unref(believed[i].pod);
	sbuf_free(&log_text);
	unlink(token_path);
	no_leaks();
}

static inline void believe(struct note *note)
{
	size_t i = 0;

	while (i < n_believed && strcmp(believed[i].key, note->key))
		i++;
	if (i == n_believed) {
		cr_assert(lt(sz, n_believed, MAX_PODS));
		snprintf(believed[n_believed++].key, PATH_MAX_ID, "%s", note->key);
	}
	cr_assert(eq(int, note->source, POD_FROM_API));
	cr_assert(eq(int, note->kind == NOTE_POD, note->pod != NULL));
	pod_unref(believed[i].pod);
	believed[i].pod = pod_ref(note->pod);
	believed[i].told++;
	n_told++;
	note_drop(note);
}

static inline size_t take(size_t max)
{
	struct note notes[MAX_PODS];
	size_t n = mailbox_take(mailbox, notes, max);

	for (size_t i = 0; i < n; i++)
		believe(&notes[i]);
	return n;
}

static inline const struct pod *pod_of(const char *key)
{
	take(MAX_PODS);
	for (size_t i = 0; i < n_believed; i++)
		if (!strcmp(believed[i].key, key))
			return believed[i].pod;
	return NULL;
}

static inline unsigned int times_told(const char *key)
{
	for (size_t i = 0; i < n_believed; i++)
		if (!strcmp(believed[i].key, key))
			return believed[i].told;
	return 0;
}

static inline size_t count_believed(void)
{
	size_t n = 0;

	take(MAX_PODS);
	for (size_t i = 0; i < n_believed; i++)
		n += believed[i].pod != NULL;
	return n;
}

static inline struct kube_state state(void)
{
	struct kube_state state;

	kube_state(kube, &state);
	return state;
}

static inline void open_kube(peer_script script, uint32_t max_pods)
{
	const struct kube_config config = {
		.server = peer.url, .token_file = token_path, .node = "n 1/é", .max_pods = max_pods
	};
	int fd = mkstemp(token_path);

	cr_assert(ge(int, fd, 0));
	cr_assert(eq(sz, (size_t)write(fd, " tok-1 \n", 8), 8));
	close(fd);
	peer_open(&peer, script);
	cr_assert(zero(int, kube_open(loop, fetcher, &config, mailbox, &kube)));
}

/* A pod in a static buffer; containers: the id of its only container. */
static inline const char *pod_text(const char *uid, unsigned int version, const char *id,
				   const char *annotation)
{
	static _Thread_local char texts[8][1024];
	static _Thread_local unsigned int turn;
	char *text = texts[turn++ % 8], hash[128] = "";

	if (annotation)
		snprintf(hash, sizeof(hash),
			 ",\"annotations\":{\"kubernetes.io/config.hash\":\"%s\"}", annotation);
	snprintf(text, sizeof(texts[0]),
		 "{\"metadata\":{\"uid\":\"%s\",\"name\":\"pod-%s\",\"namespace\":\"shop\","
		 "\"resourceVersion\":\"%u\"%s},\"spec\":{\"containers\":[{\"name\":\"c\"}]},"
		 "\"status\":{\"containerStatuses\":[{\"name\":\"c\",\"containerID\":"
		 "\"containerd://%s\"}]}}",
		 uid, uid, version, hash, id);
	return text;
}

static inline bool say_list(int fd, unsigned int version, const char *const *pods, size_t n)
{
	char head[256];

	snprintf(head, sizeof(head),
		 "{\"kind\":\"PodList\",\"apiVersion\":\"v1\",\"metadata\":{\"resourceVersion\":"
		 "\"%u\"},\"items\":[",
		 version);
	if (!peer_say(fd, CHUNKED) || !peer_chunk(fd, head))
		return false;
	for (size_t i = 0; i < n; i++)
		if ((i && !peer_chunk(fd, ",")) || !peer_chunk(fd, pods[i]))
			return false;
	return peer_chunk(fd, "]}\n") && peer_say(fd, "0\r\n\r\n");
}

static inline bool say_event(int fd, const char *type, const char *object)
{
	char text[2048];

	snprintf(text, sizeof(text), "{\"type\":\"%s\",\"object\":%s}\n", type, object);
	return peer_chunk(fd, text);
}

static inline bool say_bookmark(int fd, unsigned int version)
{
	char text[256];

	snprintf(text, sizeof(text),
		 "{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{\"resourceVersion\":\"%u\","
		 "\"creationTimestamp\":null},\"spec\":{\"containers\":null},\"status\":{}}",
		 version);
	return say_event(fd, "BOOKMARK", text);
}

static inline bool say_gone(int fd)
{
	return say_event(fd, "ERROR",
			 "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},"
			 "\"status\":\"Failure\",\"message\":\"too old resource version\","
			 "\"reason\":\"Expired\",\"code\":410}") &&
	       peer_say(fd, "0\r\n\r\n");
}

static inline bool asks(unsigned int n, const char *what)
{
	return strstr(peer.requests[n], what) != NULL;
}

static unsigned int wanted_requests;

static inline bool has_requests(void)
{
	return atomic_load(&peer.n_requests) >= wanted_requests;
}

static inline void await_requests(unsigned int n)
{
	wanted_requests = n;
	cr_assert(peer_wait(loop, has_requests, 60000), "%u of %u requests", peer.n_requests, n);
}

static uint64_t wanted_events;

static inline bool has_events(void)
{
	return state().events >= wanted_events;
}

static inline void await_events(uint64_t n)
{
	wanted_events = n;
	cr_assert(peer_wait(loop, has_events, 60000));
}

static inline bool never(void)
{
	return false;
}

#define LIST(fd, version, ...)                                                                     \
	say_list(fd, version, (const char *const[]){ __VA_ARGS__ },                                \
		 sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *))

#endif
