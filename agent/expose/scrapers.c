/* SPDX-License-Identifier: Apache-2.0 */
#include "expose/scrapers.h"

#include <string.h>

#include "platform/scope.h"

#define NS_PER_SECOND 1000000000ull
#define LEAST_WAIT_NS (60 * NS_PER_SECOND)
#define MOST_WAIT_NS  (600 * NS_PER_SECOND)
#define INTERVALS     3u

bool scrapers_peer(const struct sockaddr *address, struct scrapers_peer *ret)
{
	const struct sockaddr_in *v4 = (const void *)address;
	const struct sockaddr_in6 *v6 = (const void *)address;
	struct scrapers_peer peer = { 0 };

	if (address->sa_family == AF_INET6) {
		peer.address = v6->sin6_addr;
		peer.port = ntohs(v6->sin6_port);
	} else if (address->sa_family == AF_INET) {
		peer.address.s6_addr[10] = peer.address.s6_addr[11] = 0xff;
		memcpy(&peer.address.s6_addr[12], &v4->sin_addr, sizeof(v4->sin_addr));
		peer.port = ntohs(v4->sin_port);
	} else {
		return false;
	}
	*ret = peer;
	return true;
}

static uint64_t since(uint64_t then_ns, uint64_t now_ns)
{
	return now_ns - MIN(then_ns, now_ns);
}

/* How long it may stay away and still be waited for: the longest pause that it is known to make. */
static uint64_t patience_ns(const struct scraper *scraper)
{
	uint64_t pause_ns = 0;

	for (unsigned int i = 1; i < scraper->n; i++)
		pause_ns = MAX(pause_ns,
			       since(scraper->latest[i].at_ns, scraper->latest[i - 1].at_ns));
	pause_ns = MIN(pause_ns, MOST_WAIT_NS);
	return MIN(MAX(INTERVALS * pause_ns, LEAST_WAIT_NS), MOST_WAIT_NS);
}

/* Whoever asked once may have been a person with a browser. */
static bool still_comes(const struct scraper *scraper, uint64_t now_ns)
{
	if (!scraper->n || since(scraper->latest[0].at_ns, now_ns) > patience_ns(scraper))
		return false;
	return scraper->n >= 2 || scraper->port;
}

static struct scraper *find(struct scrapers *scrapers, const struct in6_addr *address,
			    uint16_t port)
{
	for (size_t i = 0; i < scrapers->n; i++) {
		struct scraper *scraper = &scrapers->all[i];

		if (scraper->port == port && !memcmp(&scraper->address, address, sizeof(*address)))
			return scraper;
	}
	return NULL;
}

static uint64_t newest_ns(const struct scraper *scraper)
{
	return scraper->n ? scraper->latest[0].at_ns : 0;
}

/* An empty place: a free one, else that of who comes no more, else of who has been away longest. */
static struct scraper *add(struct scrapers *scrapers, const struct in6_addr *address, uint16_t port,
			   uint64_t now_ns)
{
	struct scraper *place = &scrapers->all[0];

	if (scrapers->n < SCRAPERS_MAX) {
		place = &scrapers->all[scrapers->n++];
	} else {
		bool comes = still_comes(place, now_ns);

		for (size_t i = 1; i < SCRAPERS_MAX; i++) {
			struct scraper *other = &scrapers->all[i];
			bool other_comes = still_comes(other, now_ns);

			if (comes < other_comes ||
			    (comes == other_comes && newest_ns(place) <= newest_ns(other)))
				continue;
			place = other;
			comes = other_comes;
		}
	}
	*place = (struct scraper){ .address = *address, .port = port };
	return place;
}

static void push(struct scraper *scraper, const struct scrape *scrape)
{
	/* Twice in ten minutes: what was before a longer pause says nothing of today. */
	if (scraper->n && since(scraper->latest[0].at_ns, scrape->at_ns) > MOST_WAIT_NS)
		scraper->n = 0;
	memmove(&scraper->latest[1], &scraper->latest[0],
		(SCRAPES_KEPT - 1) * sizeof(scraper->latest[0]));
	scraper->latest[0] = *scrape;
	scraper->n = MIN(scraper->n + 1, (unsigned int)SCRAPES_KEPT);
}

/* The newest scrape from that port is taken out of those that asked once. */
static bool take_out(struct scraper *once, uint16_t port, struct scrape *ret)
{
	for (unsigned int i = 0; i < once->n; i++) {
		if (once->latest[i].port != port)
			continue;
		*ret = once->latest[i];
		once->n--;
		memmove(&once->latest[i], &once->latest[i + 1],
			(once->n - i) * sizeof(once->latest[0]));
		return true;
	}
	return false;
}

/* A connection that asks again is somebody; its first question was not of the others. */
static struct scraper *promote(struct scrapers *scrapers, const struct scrapers_peer *peer,
			       uint64_t now_ns)
{
	struct scraper *own, *once = find(scrapers, &peer->address, 0);
	struct scrape first;
	bool known = once && take_out(once, peer->port, &first);

	own = add(scrapers, &peer->address, peer->port, now_ns);
	if (known)
		push(own, &first);
	return own;
}

void scrapers_note(struct scrapers *scrapers, const struct scrapers_peer *peer,
		   uint64_t snapshot_ns, uint64_t now_ns)
{
	const struct scrape scrape = { .snapshot_ns = snapshot_ns,
				       .at_ns = now_ns,
				       .port = peer->port,
				       .derives = peer->derives };
	uint16_t port = peer->first ? 0 : peer->port;
	struct scraper *scraper = find(scrapers, &peer->address, port);

	if (!scraper)
		scraper = port ? promote(scrapers, peer, now_ns)
			       : add(scrapers, &peer->address, 0, now_ns);
	push(scraper, &scrape);
}

/* Who derives will come again: once is enough to know that. */
uint64_t scrapers_seen_once(const struct scrapers *scrapers, uint64_t now_ns)
{
	uint64_t seen_ns = UINT64_MAX;

	for (size_t i = 0; i < scrapers->n; i++) {
		const struct scraper *scraper = &scrapers->all[i];
		unsigned int k = 0;

		while (k < scraper->n && !scraper->latest[k].derives)
			k++;
		if (k < scraper->n &&
		    since(scraper->latest[k].at_ns, now_ns) <= patience_ns(scraper))
			seen_ns = MIN(seen_ns, scraper->latest[k].snapshot_ns);
	}
	return seen_ns;
}

uint64_t scrapers_seen(const struct scrapers *scrapers, uint64_t now_ns)
{
	uint64_t seen_ns = UINT64_MAX;

	for (size_t i = 0; i < scrapers->n; i++) {
		const struct scraper *scraper = &scrapers->all[i];

		if (!still_comes(scraper, now_ns))
			continue;
		/* A connection whose first question has been forgotten: it was long ago. */
		seen_ns = MIN(seen_ns, scraper->n >= 2 ? scraper->latest[1].snapshot_ns : 0);
	}
	return seen_ns;
}
