/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fake_apiserver: a Kubernetes API server for tests: objects, lists and watches as the real one
 * answers them, and faults on demand (control.h).
 *
 *	fake_apiserver [--listen=127.0.0.1:0] [--port-file=F] [--tls-cert=F --tls-key=F]
 *		[--token=T | --token-file=F] [--bookmark-interval=60s]
 *		[--min-request-timeout=1800s] [--history=16384]
 *
 * Prints its URL once it serves.  SIGTERM ends it; open watches end without their last chunk.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apiserver/server.h"
#include "apiserver/tree.h"
#include "apiserver/verbs.h"
#include "platform/log.h"
#include "platform/loop.h"
#include "platform/parse.h"

#define TICK_NS       (10ull * 1000000)
#define FILE_MAX      (1u << 20)
#define HISTORY_LIMIT 1000000
#define NS_PER_S      1000000000ull

struct options {
	struct settings settings;
	struct listen listen;
	const char *port_file, *certificate_file, *key_file;
};

struct clock {
	struct server *server;
	struct loop *loop;
	struct loop_timer *timer;
};

enum option_id {
	OPTION_LISTEN = 1,
	OPTION_PORT_FILE,
	OPTION_CERT,
	OPTION_KEY,
	OPTION_TOKEN,
	OPTION_TOKEN_FILE,
	OPTION_BOOKMARK,
	OPTION_MIN_TIMEOUT,
	OPTION_HISTORY,
};

static const struct option long_options[] = {
	{ "listen", required_argument, NULL, OPTION_LISTEN },
	{ "port-file", required_argument, NULL, OPTION_PORT_FILE },
	{ "tls-cert", required_argument, NULL, OPTION_CERT },
	{ "tls-key", required_argument, NULL, OPTION_KEY },
	{ "token", required_argument, NULL, OPTION_TOKEN },
	{ "token-file", required_argument, NULL, OPTION_TOKEN_FILE },
	{ "bookmark-interval", required_argument, NULL, OPTION_BOOKMARK },
	{ "min-request-timeout", required_argument, NULL, OPTION_MIN_TIMEOUT },
	{ "history", required_argument, NULL, OPTION_HISTORY },
	{ 0 },
};

static int read_listen(const char *text, struct listen *listen)
{
	int r = parse_address(text, listen->host, sizeof(listen->host), &listen->port);

	if (r == 0 && !listen->host[0])
		snprintf(listen->host, sizeof(listen->host), "127.0.0.1");
	return r;
}

static int read_history(const char *text, size_t *ret)
{
	uint64_t value;

	if (parse_u64(text, &value) < 0 || value < 1 || value > HISTORY_LIMIT)
		return -EINVAL;
	*ret = (size_t)value;
	return 0;
}

static int read_option(int id, const char *value, struct options *options)
{
	switch (id) {
	case OPTION_LISTEN:
		return read_listen(value, &options->listen);
	case OPTION_BOOKMARK:
		return parse_duration_ns(value, &options->settings.bookmark_ns);
	case OPTION_MIN_TIMEOUT:
		return parse_duration_ns(value, &options->settings.min_timeout_ns);
	case OPTION_HISTORY:
		return read_history(value, &options->settings.history);
	case OPTION_PORT_FILE:
		options->port_file = value;
		return 0;
	case OPTION_CERT:
		options->certificate_file = value;
		return 0;
	case OPTION_KEY:
		options->key_file = value;
		return 0;
	case OPTION_TOKEN:
		options->settings.token = value;
		return 0;
	case OPTION_TOKEN_FILE:
		options->settings.token_file = value;
		return 0;
	}
	return -EINVAL;
}

static int read_options(int argc, char **argv, struct options *options)
{
	int id;

	while ((id = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		if (id == '?')
			return -EINVAL;
		if (read_option(id, optarg, options) < 0)
			return log_errno(-EINVAL, "options: '%s' is refused: '%s'",
					 argv[optind - 1], optarg);
	}
	if (optind < argc)
		return log_errno(-EINVAL, "options: '%s' is none", argv[optind]);
	if (!options->certificate_file != !options->key_file)
		return log_errno(-EINVAL, "options: --tls-cert and --tls-key need each other");
	return 0;
}

/* A whole file as a string, heap. */
static int read_file(const char *path, char **ret)
{
	_fclose_ FILE *file = fopen(path, "re");
	_free_ char *text = tree_alloc(FILE_MAX + 1);

	if (!file)
		return log_errno(-errno, "tls: cannot read '%s'", path);
	text[fread(text, 1, FILE_MAX, file)] = '\0';
	*ret = TAKE_PTR(text);
	return 0;
}

/* Who sees the file sees all of it. */
static int write_port(const char *path, uint16_t port)
{
	size_t size = strlen(path) + sizeof(".new");
	_free_ char *temporary = tree_alloc(size);
	FILE *file;

	snprintf(temporary, size, "%s.new", path);
	file = fopen(temporary, "we");
	if (!file)
		return log_errno(-errno, "port file: cannot write '%s'", temporary);
	fprintf(file, "%u\n", port);
	if (fclose(file) != 0 || rename(temporary, path) < 0)
		return log_errno(-errno, "port file: cannot write '%s'", path);
	return 0;
}

/* What every cluster has. */
static void populate(struct store *store)
{
	static const char *const names[] = { "default", "kube-node-lease", "kube-public",
					     "kube-system" };
	const struct resource *resource = resource_find("", "v1", "namespaces");

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		cJSON *namespace = cJSON_CreateObject();

		tree_set_text(tree_object(namespace, "metadata"), "name", names[i]);
		write_seed(store, resource, namespace);
	}
}

static void on_tick(void *ctx)
{
	struct clock *clock = ctx;
	uint64_t now_ns = host_monotonic_ns();

	server_tick(clock->server, now_ns);
	loop_timer_set(clock->timer, now_ns + TICK_NS);
}

static void on_signal(void *ctx, int signal _unused_)
{
	struct clock *clock = ctx;

	loop_stop(clock->loop);
}

static int run(struct server *server, struct options *options)
{
	static const int signals[] = { SIGTERM, SIGINT };
	struct clock clock = { .server = server };
	bool tls = options->listen.certificate;
	int r;

	r = loop_new(&clock.loop);
	if (r < 0)
		return r;
	r = loop_signals(clock.loop, signals, ARRAY_SIZE(signals), on_signal, &clock);
	if (r == 0)
		r = loop_timer_new(clock.loop, on_tick, &clock, &clock.timer);
	if (r == 0)
		r = server_start(server, &options->listen);
	if (r == 0 && options->port_file)
		r = write_port(options->port_file, options->listen.port);
	if (r == 0) {
		printf("%s://%s:%u\n", tls ? "https" : "http", options->listen.host,
		       options->listen.port);
		fflush(stdout);
		on_tick(&clock);
		r = loop_run(clock.loop);
	}
	if (server->daemon)
		server_stop(server);
	if (clock.timer)
		loop_timer_free(clock.timer);
	loop_free(clock.loop);
	return r;
}

int main(int argc, char **argv)
{
	static struct server server = { .lock = PTHREAD_MUTEX_INITIALIZER };
	struct options options = { .settings = { .bookmark_ns = 60 * NS_PER_S,
						 .min_timeout_ns = 1800 * NS_PER_S,
						 .history = 16384 },
				   .listen = { .host = "127.0.0.1" } };
	int r;

	signal(SIGPIPE, SIG_IGN);
	log_open("fake_apiserver", LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
	tree_setup();
	r = read_options(argc, argv, &options);
	if (r == 0 && options.certificate_file)
		r = read_file(options.certificate_file, &options.listen.certificate);
	if (r == 0 && options.key_file)
		r = read_file(options.key_file, &options.listen.key);
	if (r == 0) {
		srand48((long)host_monotonic_ns());
		server.settings = options.settings;
		store_init(&server.store, options.settings.history);
		populate(&server.store);
		r = run(&server, &options);
		store_free(&server.store);
	}
	free(options.listen.certificate);
	free(options.listen.key);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
