/* SPDX-License-Identifier: Apache-2.0 */
#include "expose/functions.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "expose/cells.h"
#include "expose/consumers.h"
#include "expose/sums.h"

#define NS_PER_SECOND 1000000000u
#define SHOWN_MOST    5u /* where the rows of the table are limited */

/* As the table above, whose workloads have their joules in the same columns. */
enum { W_JOULES = 11, W_WATTS = 9, W_CPU = 10, W_PODS = 7, W_COLD = 7, W_COLD_JOULES = 10 };

struct functions {
	const struct overview *view;
	const struct sums *totals, *now; /* now: NULL: no watts */
	uint64_t now_ns;
	unsigned int name_width;
	const struct sum **rows;
	size_t n;
};

static int by_joules(const void *a, const void *b)
{
	const struct sum *x = *(const struct sum *const *)a, *y = *(const struct sum *const *)b;
	nj_t x_nj = consumer_total_nj(x->total.nj), y_nj = consumer_total_nj(y->total.nj);

	if (x_nj != y_nj)
		return x_nj < y_nj ? 1 : -1;
	return (x->total.busy_ns < y->total.busy_ns) - (x->total.busy_ns > y->total.busy_ns);
}

static void write_head(const struct functions *f)
{
	struct sbuf *out = f->view->out;

	sbuf_putc(out, '\n');
	overview_colour(f->view, COLOUR_BOLD);
	cells_put(out, "FUNCTION", f->name_width, CELLS_LEFT);
	cells_put(out, "JOULES", W_JOULES, CELLS_RIGHT);
	if (f->now)
		cells_put(out, "WATTS", W_WATTS, CELLS_RIGHT);
	cells_put(out, "CPU SEC", W_CPU, CELLS_RIGHT);
	cells_put(out, "PODS", W_PODS, CELLS_RIGHT);
	cells_put(out, "COLD", W_COLD, CELLS_RIGHT);
	cells_put(out, "COLD J", W_COLD_JOULES, CELLS_RIGHT);
	overview_colour(f->view, COLOUR_PLAIN);
	sbuf_putc(out, '\n');
}

/* "shop/web-00002", "guest/resize 0.0.3": Knative's revisions have the function in their names. */
static void name_function(const struct group_key *key, struct sbuf *ret)
{
	bool telling = *key->name && strncmp(key->revision, key->name, strlen(key->name)) == 0;

	sbuf_printf(ret, "%s/%s", key->namespace, telling ? key->revision : key->name);
	if (!telling && *key->revision)
		sbuf_printf(ret, " %s", key->revision);
}

static void write_row(const struct functions *f, const struct sum *sum)
{
	const struct sum *now = f->now ? sums_find(f->now, f->totals, sum) : NULL;
	nj_t now_nj = now ? consumer_total_nj(now->total.nj) : 0;
	_sbuf_ struct sbuf name = SBUF_INIT(16384);
	struct sbuf *out = f->view->out;

	name_function(sum->key, &name);
	cells_put(out, overview_text(f->view, &name), f->name_width, CELLS_MIDDLE);
	cells_number(out, (double)consumer_total_nj(sum->total.nj) / NS_PER_SECOND, W_JOULES);
	if (f->now && f->now_ns)
		cells_number(out, (double)now_nj / (double)f->now_ns, W_WATTS);
	else if (f->now)
		cells_put(out, "-", W_WATTS, CELLS_RIGHT);
	cells_number(out, (double)sum->total.busy_ns / NS_PER_SECOND, W_CPU);
	cells_count(out, sum->pods, W_PODS);
	cells_count(out, sum->cold_starts, W_COLD);
	cells_number(out, (double)consumer_total_nj(sum->cold.nj) / NS_PER_SECOND, W_COLD_JOULES);
	sbuf_putc(out, '\n');
}

static int write_all(struct functions *f)
{
	_free_ const struct sum **rows = calloc(f->totals->n + 1, sizeof(*rows));
	unsigned int limit = f->view->style->rows;
	size_t shown;

	if (!rows)
		return -ENOMEM;
	f->rows = rows;
	for (size_t i = 0; i < f->totals->n; i++) {
		if (f->totals->all[i].kind == SUM_FUNCTION)
			f->rows[f->n++] = &f->totals->all[i];
	}
	if (!f->n)
		return 0;
	qsort(f->rows, f->n, sizeof(*f->rows), by_joules);
	shown = limit ? MIN(f->n, (size_t)MIN(limit, SHOWN_MOST)) : f->n;
	f->name_width = f->view->width - W_JOULES - W_CPU - W_PODS - W_COLD - W_COLD_JOULES;
	if (f->now)
		f->name_width -= W_WATTS;
	write_head(f);
	for (size_t i = 0; i < shown; i++)
		write_row(f, f->rows[i]);
	if (shown < f->n) {
		overview_colour(f->view, COLOUR_DIM);
		sbuf_printf(f->view->out, "%zu more functions\n", f->n - shown);
		overview_colour(f->view, COLOUR_PLAIN);
	}
	return 0;
}

int functions_table(const struct overview *overview, const struct snapshot *since)
{
	_sums_ struct sums totals = { 0 }, now = { 0 };
	struct functions f = { .view = overview, .totals = &totals };
	int r = sums_collect(overview->snapshot, &totals);

	if (r == 0 && since) {
		f.now = &now;
		f.now_ns = since->t_ns - MIN(since->t_ns, since->start_t_ns);
		r = sums_collect(since, &now);
	}
	return r < 0 ? r : write_all(&f);
}
