/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

#include "expose/scrapers.h"
#include "no_leaks.h"
#include "platform/scope.h"

TestSuite(scrapers, .fini = no_leaks);

#define SECOND 1000000000ull
#define MINUTE (60 * SECOND)
#define START  (1000 * SECOND)

static struct scrapers_peer peer_of(const char *address, uint16_t port, bool first)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct scrapers_peer peer;

	inet_pton(AF_INET, address, &at.sin_addr);
	cr_assert(scrapers_peer((const struct sockaddr *)&at, &peer));
	peer.first = first;
	return peer;
}

static void scrape(struct scrapers *s, const char *address, uint16_t port, bool first,
		   uint64_t t_ns)
{
	const struct scrapers_peer peer = peer_of(address, port, first);

	scrapers_note(s, &peer, t_ns, t_ns);
}

Test(scrapers, an_ipv4_peer_is_the_same_over_both_kinds_of_sockets)
{
	struct sockaddr_in6 mapped = { .sin6_family = AF_INET6, .sin6_port = htons(7) };
	const struct sockaddr other = { .sa_family = AF_UNIX };
	struct scrapers_peer v4 = peer_of("192.0.2.1", 7, true), v6;

	inet_pton(AF_INET6, "::ffff:192.0.2.1", &mapped.sin6_addr);
	cr_assert(scrapers_peer((const struct sockaddr *)&mapped, &v6));
	cr_assert(eq(int, memcmp(&v4.address, &v6.address, sizeof(v4.address)), 0));
	cr_assert(eq(uint, v4.port, v6.port));
	cr_assert(not(scrapers_peer(&other, &v6)));
}

Test(scrapers, nobody_is_waited_for_who_has_asked_once)
{
	struct scrapers s = { 0 };

	cr_assert(eq(u64, scrapers_seen(&s, START), UINT64_MAX));
	scrape(&s, "192.0.2.1", 1, true, START);
	cr_assert(eq(u64, scrapers_seen(&s, START), UINT64_MAX));
	scrape(&s, "192.0.2.1", 2, true, START + 11 * MINUTE);
	cr_assert(eq(u64, scrapers_seen(&s, START + 11 * MINUTE), UINT64_MAX),
		  "twice, but not in ten minutes");
	scrape(&s, "192.0.2.1", 3, true, START + 12 * MINUTE);
	cr_assert(eq(u64, scrapers_seen(&s, START + 12 * MINUTE), START + 11 * MINUTE));
}

Test(scrapers, once_counts_for_those_who_derive)
{
	struct scrapers s = { 0 };
	struct scrapers_peer person = peer_of("192.0.2.1", 1, true);
	struct scrapers_peer server = peer_of("192.0.2.2", 2, true);

	for (uint64_t t = 0; t < 3; t++)
		scrapers_note(&s, &person, START + t, START + t * SECOND);
	cr_assert(eq(u64, scrapers_seen_once(&s, START + 3 * SECOND), UINT64_MAX));
	server.derives = true;
	for (uint64_t t = 0; t < 3; t++) {
		server.first = t == 0;
		scrapers_note(&s, &server, START + 10 * t, START + t * SECOND);
	}
	cr_assert(eq(u64, scrapers_seen_once(&s, START + 3 * SECOND), START + 20));
	cr_assert(eq(u64, scrapers_seen(&s, START + 3 * SECOND), START + 1),
		  "a person is one, too");
	cr_assert(eq(u64, scrapers_seen_once(&s, START + 10 * MINUTE), UINT64_MAX), "it has gone");
}

Test(scrapers, two_on_one_address_are_told_apart_by_their_connections)
{
	struct scrapers s = { 0 };

	/* A every 15 s, B every minute. */
	for (uint64_t t = 0; t <= 120; t++) {
		if (t % 15 == 0)
			scrape(&s, "192.0.2.1", 1000, t == 0, START + t * SECOND);
		if (t % 60 == 7)
			scrape(&s, "192.0.2.1", 2000, t == 7, START + t * SECOND);
	}
	cr_assert(eq(u64, scrapers_seen(&s, START + 120 * SECOND), START + 7 * SECOND),
		  "what B has had twice, not A");
	for (uint64_t t = 135; t <= 270; t += 15)
		scrape(&s, "192.0.2.1", 1000, false, START + t * SECOND);
	cr_assert(eq(u64, scrapers_seen(&s, START + 270 * SECOND), START + 255 * SECOND),
		  "B has been away for three of its intervals");
}

Test(scrapers, one_that_reconnects_each_time_is_known_by_its_address)
{
	struct scrapers s = { 0 };

	for (uint16_t i = 0; i < 200; i++)
		scrape(&s, "192.0.2.9", (uint16_t)(3000 + i), true, START + i * 15 * SECOND);
	cr_assert(eq(u64, scrapers_seen(&s, START + 199 * 15 * SECOND), START + 198 * 15 * SECOND));
	cr_assert(eq(sz, s.n, 1), "and takes one place");
}

Test(scrapers, all_of_them_gone_is_nobody)
{
	struct scrapers s = { 0 };

	for (uint64_t i = 0; i < 5; i++)
		scrape(&s, "192.0.2.1", 1000, i == 0, START + i * 4 * MINUTE);
	cr_assert(ne(u64, scrapers_seen(&s, START + 26 * MINUTE), UINT64_MAX),
		  "at most ten minutes, though three intervals are twelve");
	cr_assert(eq(u64, scrapers_seen(&s, START + 27 * MINUTE), UINT64_MAX));
}

static uint64_t random_below(uint64_t *state, uint64_t n)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state % n;
}

#define SIMULATED 12

/* A scraper with an address of its own, or a connection that it keeps. */
struct simulated {
	char address[16];
	uint16_t port;
	bool keeps; /* its connection */
	uint64_t interval_ns, next_ns, gone_ns;
	uint64_t n, last_ns[2]; /* snapshots that it got, newest first */
};

static void simulate_one(struct scrapers *s, struct simulated *one, uint64_t snapshot_ns,
			 uint64_t now_ns, uint64_t *random)
{
	const struct scrapers_peer peer =
		peer_of(one->address, one->port, !one->keeps || one->n == 0);

	scrapers_note(s, &peer, snapshot_ns, now_ns);
	one->last_ns[1] = one->last_ns[0];
	one->last_ns[0] = snapshot_ns;
	one->n++;
	if (!one->keeps)
		one->port++;
	/* A little late, never by half an interval. */
	one->next_ns = now_ns + one->interval_ns + random_below(random, one->interval_ns / 4);
}

static void begin(struct simulated *all, uint64_t *random)
{
	for (unsigned int i = 0; i < SIMULATED; i++) {
		bool keeps = random_below(random, 2);

		all[i] = (struct simulated){
			.port = (uint16_t)(10000 + 2000 * i),
			.keeps = keeps,
			.interval_ns = (5 + random_below(random, 56)) * SECOND,
			.next_ns = START + random_below(random, 5 * MINUTE),
			.gone_ns = START + random_below(random, 60 * MINUTE),
		};
		/* Those that keep their connection may share an address. */
		snprintf(all[i].address, sizeof(all[i].address), "192.0.2.%u", keeps ? 1 : 10 + i);
	}
}

static bool is_there(const struct simulated *one, uint64_t now_ns)
{
	return now_ns < one->gone_ns;
}

/*
 * Safe: what is said to have been seen has been served twice to everyone who comes.  Alive: it is
 * never further back than three intervals of those who come and the patience for those who do not.
 */
Test(scrapers, say_what_everybody_has_had_twice)
{
	for (uint64_t seed = 1; seed <= 60; seed++) {
		struct simulated all[SIMULATED];
		struct scrapers s = { 0 };
		uint64_t random = seed * 0x9e3779b97f4a7c15u, seen_ns, snapshot_ns;

		begin(all, &random);
		for (uint64_t now = START; now < START + 60 * MINUTE; now += SECOND / 2) {
			unsigned int n_there = 0;

			snapshot_ns = now - now % SECOND;
			for (unsigned int i = 0; i < SIMULATED; i++) {
				if (is_there(&all[i], now) && all[i].next_ns <= now)
					simulate_one(&s, &all[i], snapshot_ns, now, &random);
			}
			seen_ns = scrapers_seen(&s, now);
			for (unsigned int i = 0; i < SIMULATED; i++) {
				n_there += is_there(&all[i], now);
				if (is_there(&all[i], now) && all[i].n >= 2)
					cr_assert(le(u64, seen_ns, all[i].last_ns[1]));
			}
			if (n_there && now > START + 10 * MINUTE)
				cr_assert(ge(u64, seen_ns, now - 8 * MINUTE));
		}
		cr_assert(eq(u64, scrapers_seen(&s, START + 71 * MINUTE), UINT64_MAX));
	}
}

/* Any sequence of anything: bounded, and never later than the newest snapshot. */
Test(scrapers, survive_a_crowd)
{
	struct scrapers s = { 0 };
	uint64_t random = 42, now = START;

	for (int i = 0; i < 200000; i++) {
		char address[16];
		uint64_t seen_ns;

		snprintf(address, sizeof(address), "198.51.100.%u",
			 (unsigned int)random_below(&random, 200));
		now += random_below(&random, 2 * SECOND);
		scrape(&s, address, (uint16_t)(1 + random_below(&random, 50)),
		       random_below(&random, 2), now);
		cr_assert(le(sz, s.n, SCRAPERS_MAX));
		seen_ns = scrapers_seen(&s, now);
		cr_assert(seen_ns <= now || seen_ns == UINT64_MAX);
	}
}

Test(scrapers, a_crowd_of_strangers_pushes_nobody_out)
{
	struct scrapers s = { 0 };

	scrape(&s, "192.0.2.1", 1000, true, START);
	scrape(&s, "192.0.2.1", 1000, false, START + 15 * SECOND);
	for (unsigned int i = 0; i < 250; i++) {
		char address[16];

		snprintf(address, sizeof(address), "198.51.100.%u", i);
		scrape(&s, address, 5, true, START + 16 * SECOND);
	}
	cr_assert(eq(u64, scrapers_seen(&s, START + 20 * SECOND), START),
		  "those who asked once make room for each other");
}
