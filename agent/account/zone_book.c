/* SPDX-License-Identifier: Apache-2.0 */
#include "account/zone_book.h"

#include <errno.h>
#include <stdlib.h>

#include "account/attribute.h"
#include "platform/scope.h"

#define NSEC_PER_SEC 1000000000ull

/* An idle package sleeps this long between two reads (DESIGN law 4); its counter wraps later. */
#define IDLE_READ_NS (30 * NSEC_PER_SEC)
#define IDLE_PART    100 /* idle: less than one part in 100 busy */

int zone_book_init(struct zone_book *book, uint32_t entries)
{
	*book = (struct zone_book){ 0 };
	book->shares = calloc(entries, sizeof(*book->shares));
	book->list = calloc(entries, sizeof(*book->list));
	return book->shares && book->list ? 0 : -ENOMEM;
}

void zone_book_free(struct zone_book *book)
{
	free(book->shares);
	free(book->list);
	*book = (struct zone_book){ 0 };
}

void zone_book_add(struct zone_book *book, uint32_t entry, uint64_t weight)
{
	struct zone_share *share = &book->shares[entry];

	if (!weight)
		return;
	if (!share->listed) {
		share->listed = true;
		book->list[book->n_listed++] = entry;
	}
	/* Saturates: an absurd weight must not make its owner look idle. */
	if (__builtin_add_overflow(share->weight, weight, &share->weight))
		share->weight = UINT64_MAX;
}

void zone_book_fold(struct zone_book *book, uint32_t from, uint32_t to)
{
	struct zone_share *share = &book->shares[from];

	zone_book_add(book, to, share->weight);
	/* It stays listed, with nothing: the next owner of this entry only adds to it. */
	share->weight = 0;
	share->nj = 0;
}

void zone_book_rename(const struct zone_book *book, struct zone_total *total, uint32_t entry,
		      enum bucket from, enum bucket to)
{
	nj_t nj = book->shares[entry].nj;

	total->bucket_nj[from] -= nj;
	total->bucket_nj[to] += nj;
}

static void clear(struct zone_book *book)
{
	for (uint32_t i = 0; i < book->n_listed; i++) {
		book->shares[book->list[i]].weight = 0;
		book->shares[book->list[i]].listed = false;
	}
	book->n_listed = 0;
}

static void book_share(struct zone_book *book, struct zone_total *total,
		       const struct owners *owners, uint32_t entry, uint64_t nj)
{
	struct account *account = &owners->table[entry];
	double blurred_nj;

	if (entry >= owners->capacity) {
		enum bucket bucket = (enum bucket)(entry - owners->capacity);

		total->bucket_nj[bucket] += nj;
		if (total->column >= 0)
			owners->folded[bucket].nj[total->column] += nj;
		return;
	}
	book->shares[entry].nj += nj;
	total->bucket_nj[account->bucket] += nj;
	if (total->column < 0)
		return;
	account->nj[total->column] += nj;
	/*
	 * Both ends of a window are up to one period of the source off.  Neighbouring windows
	 * share an end, so this doubts a steady consumer more than it must, and never less.
	 */
	blurred_nj = (double)nj * (double)total->zone.period_ns / (double)total->last_window_ns;
	account->variance_nj2[total->column] += blurred_nj * blurred_nj / 6;
}

static void split(struct zone_book *book, struct zone_total *total, const struct owners *owners,
		  uint64_t nj)
{
	nj_t product = (nj_t)baseline_nw(&total->baseline) * total->last_window_ns;
	uint64_t idle_nj = (uint64_t)MIN((nj_t)nj, product / NSEC_PER_SEC);
	uint64_t *nj_of = owners->scratch;

	for (uint32_t i = 0; i < book->n_listed; i++)
		nj_of[i] = book->shares[book->list[i]].weight;
	idle_nj += attribute(nj - idle_nj, nj_of, book->n_listed, nj_of);

	total->nj += nj;
	total->bucket_nj[BUCKET_IDLE] += idle_nj;
	for (uint32_t i = 0; i < book->n_listed; i++)
		if (nj_of[i])
			book_share(book, total, owners, book->list[i], nj_of[i]);
}

/* The ticks of the source inside a series cancel; its two ends remain (uniform, P x period). */
static void doubt(struct zone_book *book, struct zone_total *total)
{
	double blurred_nj = (double)total->last_nj * (double)total->zone.period_ns /
			    (double)total->last_window_ns;
	double end_nj2 = blurred_nj * blurred_nj / 12;

	if (!book->started)
		book->closed_variance_nj2 = total->variance_nj2 + end_nj2;
	book->started = true;
	total->variance_nj2 = book->closed_variance_nj2 + end_nj2;
}

static uint64_t since(uint64_t seen, uint64_t now)
{
	return now >= seen ? now - seen : now;
}

void zone_book_read(struct zone_book *book, struct zone_total *total, const struct owners *owners,
		    const struct reading *reading, const struct zone_load *load, uint64_t t_ns)
{
	uint64_t nj, window_ns;

	book->tried_ns = t_ns;
	book->tried_busy_ns = load->busy_ns;

	switch (meter_advance(&total->meter, &total->zone, reading, &nj, &window_ns)) {
	case METER_SKIPPED:
		return;
	case METER_FIRST:
	case METER_UNKNOWN:
		book->started = false;
		break;
	case METER_OK:
		total->last_nj = nj;
		total->last_window_ns = window_ns;
		if (load->known)
			baseline_add(&total->baseline, reading->t_ns, nj, window_ns,
				     since(total->busy_ns_seen, load->busy_ns), load->cpus);
		split(book, total, owners, nj);
		doubt(book, total);
		break;
	}
	total->busy_ns_seen = load->busy_ns;
	clear(book);
}

bool zone_book_wants(const struct zone_book *book, const struct zone_total *total,
		     const struct zone_load *load, uint64_t t_ns, int running_package)
{
	uint64_t busy_ns = since(book->tried_busy_ns, load->busy_ns);
	uint64_t elapsed_ns = since(book->tried_ns, t_ns);

	if (!total->meter.started || total->zone.package < 0 ||
	    total->zone.package == running_package || total->zone.unit == ZONE_SHOWS_UW ||
	    total->zone.quality != QUALITY_MEASURED || !load->known)
		return true;
	if (elapsed_ns >= IDLE_READ_NS)
		return true;
	return (nj_t)busy_ns * IDLE_PART >= MAX((nj_t)elapsed_ns * load->cpus, 1);
}
