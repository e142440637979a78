/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scrapers: who reads /metrics again and again, and what all of them have had twice, so that the
 * series of what has ended can go.  A connection that has asked twice is a scraper of its own;
 * those that ask once are one scraper by address: what is not told apart is waited for as one.
 * Pure: the clock is an argument.
 */
#ifndef PODJOULE_SCRAPERS_H
#define PODJOULE_SCRAPERS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SCRAPERS_MAX 64
#define SCRAPES_KEPT 4

struct scrape {
	uint64_t snapshot_ns; /* t_ns of the snapshot that was served */
	uint64_t at_ns;
	uint16_t port; /* of the peer */
	bool derives;
};

struct scraper {
	struct in6_addr address; /* IPv4 ones mapped */
	uint16_t port;           /* of its connection; 0: all of its address that asked once */
	unsigned int n;
	struct scrape latest[SCRAPES_KEPT]; /* newest first */
};

struct scrapers {
	struct scraper all[SCRAPERS_MAX];
	size_t n;
};

struct scrapers_peer {
	struct in6_addr address;
	uint16_t port;
	bool first;   /* its connection asks for the first time */
	bool derives; /* it keeps series and takes their increase: Prometheus and its kin say so */
};

/* A socket's address, IPv4 or IPv6; false for others. */
bool scrapers_peer(const struct sockaddr *address, struct scrapers_peer *ret);

/* A peer was served the snapshot of snapshot_ns. */
void scrapers_note(struct scrapers *scrapers, const struct scrapers_peer *peer,
		   uint64_t snapshot_ns, uint64_t now_ns);
/*
 * The moment before which everything that has ended was served twice to every scraper that still
 * comes; UINT64_MAX: there is none.  One that has been away for three of its intervals (at least
 * 60 s, at most 10 min) comes no more.
 */
uint64_t scrapers_seen(const struct scrapers *scrapers, uint64_t now_ns);
/* The same, once, to those that derive: what a new series begins with is no increase to them. */
uint64_t scrapers_seen_once(const struct scrapers *scrapers, uint64_t now_ns);

#endif
