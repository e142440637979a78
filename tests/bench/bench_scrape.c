/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a scrape costs: CPU of the page server's thread for a cold one (the first after a publish)
 * and warm ones, and latency with 16 keep-alive clients that all ask at the same moment, while a
 * slow client reads a byte a second and a dead one reads nothing.
 *
 *	bench_scrape [--json] [CONTAINERS]
 */
#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>

#include "expose/page.h"
#include "fake_node.h"
#include "platform/log.h"
#include "platform/loop.h"
#include "platform/parse.h"
#include "platform/scope.h"

#define CLIENTS      16
#define COLD_ROUNDS  30
#define WARM_ROUNDS  50
#define STORM_ROUNDS 60
#define BUFFER_BYTES (1 << 20)

struct server {
	struct loop *loop;
	struct page_server *page;
	pthread_t thread;
	int stop_fd;
};

struct client {
	pthread_t thread;
	pthread_barrier_t *barrier;
	uint16_t port;
	double ms[STORM_ROUNDS];
	bool failed;
};

struct figures {
	double cold_gzip_ms, cold_plain_ms, warm_gzip_ms, warm_plain_ms;
	double cold_p50_ms, cold_p99_ms, warm_p50_ms, warm_p99_ms;
	size_t plain_bytes, gzip_bytes;
	long rss_anon_kib;
};

static char scratch[BUFFER_BYTES]; /* what single clients receive */

static void on_stop(void *ctx, uint32_t events _unused_)
{
	struct server *server = ctx;

	loop_stop(server->loop);
}

static void *serve(void *ctx)
{
	struct server *server = ctx;

	loop_run(server->loop);
	return NULL;
}

static int server_start(struct fake_node *node, struct server *ret)
{
	const struct page_config config = { .host = "127.0.0.1", .pool = node->pool };
	int r;

	r = loop_new(&ret->loop);
	if (r < 0)
		return r;
	r = page_open(ret->loop, &config, &ret->page);
	if (r < 0)
		return r;
	ret->stop_fd = eventfd(0, EFD_CLOEXEC);
	r = loop_add(ret->loop, ret->stop_fd, EPOLLIN, on_stop, ret);
	if (r < 0)
		return r;
	return -pthread_create(&ret->thread, NULL, serve, ret);
}

static void server_stop(struct server *server)
{
	const uint64_t one = 1;

	if (write(server->stop_fd, &one, sizeof(one)) != sizeof(one))
		perror("bench_scrape: cannot stop the server");
	pthread_join(server->thread, NULL);
	page_close(server->page);
	loop_free(server->loop);
	close(server->stop_fd);
}

static double cpu_ms(const struct server *server)
{
	struct timespec t;
	clockid_t clock;

	if (pthread_getcpuclockid(server->thread, &clock) != 0 || clock_gettime(clock, &t) < 0)
		return 0;
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static double now_ms(void)
{
	return (double)host_monotonic_ns() / 1e6;
}

static int dial(uint16_t port, int receive_bytes)
{
	const struct sockaddr_in address = { .sin_family = AF_INET,
					     .sin_port = htons(port),
					     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd >= 0 && receive_bytes)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof(receive_bytes));
	if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
		perror("bench_scrape: cannot connect");
		exit(1);
	}
	return fd;
}

static bool ask(int fd, bool gzip)
{
	const char *text =
		gzip ? "GET /metrics HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n"
		     : "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n";

	return send(fd, text, strlen(text), MSG_NOSIGNAL) == (ssize_t)strlen(text);
}

/* Read one answer, whole; the length of its body, or -1.  buffer keeps the head only. */
static ssize_t receive(int fd, char *buffer)
{
	size_t len = 0, want = 0, rest;
	char *end = NULL, *field;
	uint64_t body = 0;

	while (!end) {
		ssize_t n = recv(fd, buffer + len, BUFFER_BYTES - 1 - len, 0);

		if (n <= 0)
			return -1;
		len += (size_t)n;
		buffer[len] = '\0';
		end = memmem(buffer, len, "\r\n\r\n", 4);
	}
	*end = '\0';
	field = strcasestr(buffer, "Content-Length: ");
	if (!field || strncmp(buffer, "HTTP/1.1 200", 12) != 0)
		return -1;
	field[16 + strcspn(field + 16, "\r")] = '\0';
	if (parse_u64(field + 16, &body) < 0)
		return -1;
	want = (size_t)(end - buffer) + 4 + body;
	while (len < want) {
		rest = want - len;
		ssize_t n = recv(fd, buffer, rest < BUFFER_BYTES ? rest : BUFFER_BYTES, 0);

		if (n <= 0)
			return -1;
		len += (size_t)n;
	}
	return (ssize_t)body;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double quantile(double *values, size_t n, double q)
{
	qsort(values, n, sizeof(*values), by_value);
	return values[(size_t)(q * (double)(n - 1) + 0.5)];
}

/* Median CPU of the server's thread for one scrape. */
static double scrape_cpu(struct fake_node *node, const struct server *server, bool cold, bool gzip,
			 size_t *ret_bytes)
{
	double ms[WARM_ROUNDS];
	int rounds = cold ? COLD_ROUNDS : WARM_ROUNDS;
	int fd = dial(page_port(server->page), 0);

	for (int i = -1; i < rounds; i++) {
		double before;
		ssize_t n;

		if (cold && fake_node_publish(node) < 0)
			exit(1);
		before = cpu_ms(server);
		n = ask(fd, gzip) ? receive(fd, scratch) : -1;
		if (n < 0) {
			fprintf(stderr, "bench_scrape: a scrape failed\n");
			exit(1);
		}
		usleep(3000); /* the server goes back to sleep on its own time */
		if (i >= 0)
			ms[i] = cpu_ms(server) - before;
		*ret_bytes = (size_t)n;
	}
	close(fd);
	return quantile(ms, (size_t)rounds, 0.5);
}

static void *scrape_often(void *ctx)
{
	struct client *client = ctx;
	_free_ char *buffer = malloc(BUFFER_BYTES);
	int fd = dial(client->port, 0);

	for (int i = 0; i < STORM_ROUNDS; i++) {
		double start;

		pthread_barrier_wait(client->barrier);
		start = now_ms();
		if (!buffer || !ask(fd, true) || receive(fd, buffer) < 0)
			client->failed = true;
		client->ms[i] = now_ms() - start;
		pthread_barrier_wait(client->barrier);
	}
	close(fd);
	return NULL;
}

/* All clients ask at once, again and again; cold: each time right after a publish. */
static void storm(struct fake_node *node, const struct server *server, bool cold,
		  double *ret_p50_ms, double *ret_p99_ms)
{
	static struct client clients[CLIENTS];
	static double ms[CLIENTS * STORM_ROUNDS];
	pthread_barrier_t barrier;

	pthread_barrier_init(&barrier, NULL, CLIENTS + 1);
	for (int i = 0; i < CLIENTS; i++) {
		clients[i] =
			(struct client){ .barrier = &barrier, .port = page_port(server->page) };
		if (pthread_create(&clients[i].thread, NULL, scrape_often, &clients[i]) != 0)
			exit(1);
	}
	for (int i = 0; i < STORM_ROUNDS; i++) {
		if (cold && fake_node_publish(node) < 0)
			exit(1);
		pthread_barrier_wait(&barrier);
		pthread_barrier_wait(&barrier);
		usleep(10000);
	}
	for (int i = 0; i < CLIENTS; i++) {
		pthread_join(clients[i].thread, NULL);
		if (clients[i].failed) {
			fprintf(stderr, "bench_scrape: a client got no answer\n");
			exit(1);
		}
		memcpy(&ms[i * STORM_ROUNDS], clients[i].ms, sizeof(clients[i].ms));
	}
	pthread_barrier_destroy(&barrier);
	*ret_p50_ms = quantile(ms, ARRAY_SIZE(ms), 0.5);
	*ret_p99_ms = quantile(ms, ARRAY_SIZE(ms), 0.99);
}

static atomic_bool over;

static void *read_slowly(void *ctx)
{
	const uint16_t *port = ctx;
	int fd = dial(*port, 4096);
	char byte;

	ask(fd, false);
	while (!over && recv(fd, &byte, 1, 0) == 1)
		for (int i = 0; i < 10 && !over; i++)
			usleep(100000);
	close(fd);
	return NULL;
}

static long rss_anon_kib(void)
{
	_fclose_ FILE *status = fopen("/proc/self/status", "re");
	char line[128];
	uint64_t kib;

	while (status && fgets(line, sizeof(line), status)) {
		if (strncmp(line, "RssAnon:", 8) != 0)
			continue;
		line[strcspn(line, "k")] = '\0';
		if (parse_u64(line + 8 + strspn(line + 8, " \t"), &kib) == 0)
			return (long)kib;
	}
	return -1;
}

static void print(const struct figures *f, uint32_t n, bool json)
{
	if (json) {
		printf("{\"containers\":%u,\"plain_bytes\":%zu,\"gzip_bytes\":%zu,"
		       "\"cold_cpu_ms\":{\"plain\":%.3f,\"gzip\":%.3f},"
		       "\"warm_cpu_ms\":{\"plain\":%.3f,\"gzip\":%.3f},"
		       "\"clients\":%d,\"cold_latency_ms\":{\"p50\":%.3f,\"p99\":%.3f},"
		       "\"warm_latency_ms\":{\"p50\":%.3f,\"p99\":%.3f},\"rss_anon_kib\":%ld}\n",
		       n, f->plain_bytes, f->gzip_bytes, f->cold_plain_ms, f->cold_gzip_ms,
		       f->warm_plain_ms, f->warm_gzip_ms, CLIENTS, f->cold_p50_ms, f->cold_p99_ms,
		       f->warm_p50_ms, f->warm_p99_ms, f->rss_anon_kib);
		return;
	}
	printf("a scrape of %u containers              plain       gzip\n", n);
	printf("  bytes                         %10zu %10zu\n", f->plain_bytes, f->gzip_bytes);
	printf("  cold, ms of CPU               %10.2f %10.2f  (at most 25)\n", f->cold_plain_ms,
	       f->cold_gzip_ms);
	printf("  warm, ms of CPU               %10.2f %10.2f  (at most 1)\n", f->warm_plain_ms,
	       f->warm_gzip_ms);
	printf("%d clients at once, gzip, beside a slow and a dead one\n", CLIENTS);
	printf("                                       p50        p99\n");
	printf("  after each publish, ms        %10.2f %10.2f  (p99 at most 40)\n", f->cold_p50_ms,
	       f->cold_p99_ms);
	printf("  warm, ms                      %10.2f %10.2f\n", f->warm_p50_ms, f->warm_p99_ms);
	printf("RssAnon of server, ledger and clients, KiB %ld\n", f->rss_anon_kib);
}

int main(int argc, char **argv)
{
	bool json = argc > 1 && strcmp(argv[1], "--json") == 0;
	const char *count = argc > 1 + json ? argv[1 + json] : "1000";
	struct fake_node node;
	struct server server = { .stop_fd = -1 };
	struct figures f = { 0 };
	pthread_t slow;
	uint16_t port;
	uint64_t n;
	int dead;

	if (parse_u64(count, &n) < 0 || n > 100000) {
		fprintf(stderr, "bench_scrape: '%s' is no number of containers\n", count);
		return 2;
	}
	log_open("bench_scrape", LOG_LEVEL_WARNING, LOG_FORMAT_TEXT);
	if (fake_node_open(&node, (uint32_t)n) < 0 || fake_node_publish(&node) < 0 ||
	    server_start(&node, &server) < 0) {
		fprintf(stderr, "bench_scrape: cannot start\n");
		return 1;
	}
	f.cold_plain_ms = scrape_cpu(&node, &server, true, false, &f.plain_bytes);
	f.cold_gzip_ms = scrape_cpu(&node, &server, true, true, &f.gzip_bytes);
	f.warm_plain_ms = scrape_cpu(&node, &server, false, false, &f.plain_bytes);
	f.warm_gzip_ms = scrape_cpu(&node, &server, false, true, &f.gzip_bytes);
	f.rss_anon_kib = rss_anon_kib();

	port = page_port(server.page);
	dead = dial(port, 4096);
	ask(dead, false);
	if (pthread_create(&slow, NULL, read_slowly, &port) != 0)
		return 1;
	storm(&node, &server, true, &f.cold_p50_ms, &f.cold_p99_ms);
	storm(&node, &server, false, &f.warm_p50_ms, &f.warm_p99_ms);
	over = true;
	pthread_join(slow, NULL);
	close(dead);
	server_stop(&server);
	fake_node_close(&node);
	print(&f, (uint32_t)n, json);
	return 0;
}
