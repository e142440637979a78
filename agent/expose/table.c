/* SPDX-License-Identifier: Apache-2.0 */
/* What a newcomer sees: the node, its zones and buckets, and who used the joules. */
#include <errno.h>
#include <string.h>

#include "expose/cells.h"
#include "expose/consumers.h"
#include "expose/functions.h"
#include "expose/overview.h"
#include "expose/render.h"

#define NS_PER_SECOND 1000000000u
#define NARROWEST     80u
#define WIDEST        200u

/* Columns of the workload table; the name and the bar share what is left. */
enum { W_KIND = 10, W_JOULES = 11, W_WATTS = 9, W_CPU = 10, W_SHARE = 7, W_SWITCHES = 9 };
enum { NAME_MIN = 40, BAR_MIN = 4, BAR_MAX = 24 };

struct row {
	const char *kind, *name;
	const struct consumer *consumer; /* NULL: what a bucket holds besides */
	nj_t nj, now_nj;                 /* since the start; since `before` */
	uint64_t busy_ns, now_busy_ns, switches;
	double share; /* < 0: nothing to share */
};

struct table {
	struct overview view;
	unsigned int name_width, bar_width;
	bool has_switches;              /* not where names would be cut for them */
	bool has_energy;                /* some zone carries workload series */
	const struct consumers *totals; /* since the start */
	const struct consumers *now;    /* since `before`, or the totals again */
	const struct snapshot *since;   /* `before` until now, or NULL */
	uint64_t now_ns;
	struct row *rows;
	size_t n_rows;
};

static double joules_of(nj_t nj)
{
	return (double)nj / NS_PER_SECOND;
}

static int by_share(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	if (x->share != y->share)
		return x->share < y->share ? 1 : -1;
	if (x->nj != y->nj)
		return x->nj < y->nj ? 1 : -1;
	return (x->busy_ns < y->busy_ns) - (x->busy_ns > y->busy_ns);
}

static void add_consumers(struct table *t)
{
	for (size_t i = 0; i < t->totals->n; i++) {
		const struct consumer *consumer = &t->totals->all[i];
		const struct consumer *now = consumers_find(t->now, t->totals, consumer);
		struct row row = {
			.kind = consumer_kind_name(consumer->kind),
			.consumer = consumer,
			.nj = consumer_total_nj(consumer->nj),
			.now_nj = now ? consumer_total_nj(now->nj) : 0,
			.busy_ns = consumer->usage.busy_ns,
			.now_busy_ns = now ? now->usage.busy_ns : 0,
			.switches = consumer->usage.voluntary + consumer->usage.involuntary,
		};

		/* A pod without overhead says nothing that its containers do not. */
		if (consumer->kind != CONSUMER_POD || row.nj || row.busy_ns)
			t->rows[t->n_rows++] = row;
	}
}

static void add_rest(struct table *t)
{
	static const struct {
		const char *kind, *name;
	} words[] = {
		[BUCKET_KERNEL] = { "kernel", "kernel threads and interrupts" },
		[BUCKET_SYSTEM] = { "ended", "units that ended" },
		[BUCKET_CONTAINERS] = { "ended", "containers that ended" },
		[BUCKET_VMS] = { "ended", "virtual machines that ended" },
		[BUCKET_UNATTRIBUTED] = { "unknown", "no owner found" },
	};

	for (int b = BUCKET_IDLE + 1; b < _BUCKET_ENERGY_MAX; b++) {
		const struct bucket_rest *rest = &t->totals->rest[b];
		struct row row = {
			.kind = words[b].kind,
			.name = words[b].name,
			.nj = consumer_total_nj(rest->nj),
			.now_nj = consumer_total_nj(t->now->rest[b].nj),
			.busy_ns = rest->busy_ns,
			.now_busy_ns = t->now->rest[b].busy_ns,
			.switches = rest->switches + t->view.snapshot->folded[b].usage.voluntary +
				    t->view.snapshot->folded[b].usage.involuntary,
		};

		if (row.nj || row.busy_ns)
			t->rows[t->n_rows++] = row;
	}
}

/* Shares are of what the interval's rows have together: the energy above idle. */
static void share_rows(struct table *t)
{
	double sum = 0;

	for (size_t i = 0; i < t->n_rows; i++)
		sum += t->has_energy ? (double)t->rows[i].now_nj : (double)t->rows[i].now_busy_ns;
	for (size_t i = 0; i < t->n_rows; i++) {
		struct row *row = &t->rows[i];
		double part = t->has_energy ? (double)row->now_nj : (double)row->now_busy_ns;

		row->share = sum > 0 ? part / sum : -1;
	}
	qsort(t->rows, t->n_rows, sizeof(*t->rows), by_share);
}

static bool is_hex_id(const char *id)
{
	return strlen(id) >= 12 && strspn(id, "0123456789abcdef") >= 12;
}

/* "shop/web-1", or "shop/web-1/nginx"; what is not known is left out. */
static void name_parts(const struct consumer *consumer, struct sbuf *ret)
{
	const char *parts[] = { consumer_namespace(consumer), consumer_pod_name(consumer),
				consumer_container_name(consumer) };

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		if (!*parts[i])
			continue;
		if (ret->len)
			sbuf_putc(ret, '/');
		sbuf_puts(ret, parts[i]);
	}
}

/* Names, and ids only where names are missing. */
static void name_container(const struct consumer *consumer, struct sbuf *ret)
{
	char buf[CONSUMER_ID_SIZE];
	const char *id = consumer_id(consumer, buf), *uid = consumer_pod_uid(consumer);
	bool no_pod = *uid && !*consumer_pod_name(consumer);

	name_parts(consumer, ret);
	if (!*consumer_container_name(consumer) || no_pod) {
		if (ret->len)
			sbuf_putc(ret, ' ');
		sbuf_append(ret, id, is_hex_id(id) ? 12 : strlen(id));
	}
	if (no_pod)
		sbuf_printf(ret, " pod %.8s", uid);
	if (!*consumer_pod_name(consumer) && *consumer_runtime(consumer))
		sbuf_printf(ret, " %s", consumer_runtime(consumer));
	if (*consumer_role(consumer) && strcmp(consumer_role(consumer), "main") != 0)
		sbuf_printf(ret, " (%s)", consumer_role(consumer));
	if (consumer->ended_ns)
		sbuf_puts(ret, " (ended)");
}

static void name_row(const struct row *row, struct sbuf *ret)
{
	const struct consumer *consumer = row->consumer;
	char buf[CONSUMER_ID_SIZE];

	if (!consumer) {
		sbuf_puts(ret, row->name);
	} else if (consumer->kind == CONSUMER_CONTAINER) {
		name_container(consumer, ret);
	} else if (consumer->kind == CONSUMER_POD) {
		if (*consumer_pod_name(consumer))
			name_parts(consumer, ret);
		else
			sbuf_puts(ret, consumer_id(consumer, buf));
		sbuf_puts(ret, " overhead");
	} else {
		sbuf_puts(ret, consumer_id(consumer, buf));
	}
}

static void write_row(struct table *t, const struct row *row)
{
	_sbuf_ struct sbuf name = SBUF_INIT(16384);
	struct sbuf *out = t->view.out;

	name_row(row, &name);
	cells_put(out, row->kind, W_KIND, CELLS_LEFT);
	cells_put(out, overview_text(&t->view, &name), t->name_width, CELLS_MIDDLE);
	if (t->has_energy)
		cells_number(out, joules_of(row->nj), W_JOULES);
	else
		cells_put(out, "-", W_JOULES, CELLS_RIGHT);
	if (t->view.style->before && t->has_energy && t->now_ns)
		cells_number(out, (double)row->now_nj / (double)t->now_ns, W_WATTS);
	else if (t->view.style->before)
		cells_put(out, "-", W_WATTS, CELLS_RIGHT);
	cells_number(out, (double)row->busy_ns / NS_PER_SECOND, W_CPU);
	cells_percent(out, row->share, W_SHARE);
	if (t->bar_width) {
		sbuf_putc(out, ' ');
		overview_colour(&t->view, COLOUR_GREEN);
		cells_bar(out, row->share, t->bar_width - 1);
		overview_colour(&t->view, COLOUR_PLAIN);
	}
	if (t->has_switches)
		cells_count(out, row->switches, W_SWITCHES);
	sbuf_putc(out, '\n');
}

static void lay_out(struct table *t)
{
	unsigned int fixed = W_KIND + W_JOULES + W_CPU + W_SHARE;
	unsigned int left;

	if (t->view.style->before)
		fixed += W_WATTS;
	t->has_switches = t->view.width >= fixed + W_SWITCHES + NAME_MIN;
	if (t->has_switches)
		fixed += W_SWITCHES;
	left = t->view.width - fixed;
	t->bar_width = left > NAME_MIN ? MIN((left - NAME_MIN) / 2, (unsigned int)BAR_MAX) : 0;
	if (t->bar_width < BAR_MIN)
		t->bar_width = 0;
	t->name_width = left - t->bar_width;
}

static void write_rows(struct table *t)
{
	size_t shown = t->view.style->rows ? MIN(t->view.style->rows, t->n_rows) : t->n_rows;
	struct sbuf *out = t->view.out;
	nj_t hidden_nj = 0;

	lay_out(t);
	overview_colour(&t->view, COLOUR_BOLD);
	cells_put(out, "KIND", W_KIND, CELLS_LEFT);
	cells_put(out, "NAME", t->name_width, CELLS_LEFT);
	cells_put(out, "JOULES", W_JOULES, CELLS_RIGHT);
	if (t->view.style->before)
		cells_put(out, "WATTS", W_WATTS, CELLS_RIGHT);
	cells_put(out, "CPU SEC", W_CPU, CELLS_RIGHT);
	cells_put(out, "SHARE", W_SHARE, CELLS_RIGHT);
	cells_put(out, "", t->bar_width, CELLS_LEFT);
	if (t->has_switches)
		cells_put(out, "SWITCHES", W_SWITCHES, CELLS_RIGHT);
	overview_colour(&t->view, COLOUR_PLAIN);
	sbuf_putc(out, '\n');

	for (size_t i = 0; i < shown; i++)
		write_row(t, &t->rows[i]);
	for (size_t i = shown; i < t->n_rows; i++)
		hidden_nj += t->rows[i].nj;
	if (shown < t->n_rows) {
		overview_colour(&t->view, COLOUR_DIM);
		sbuf_printf(out, "%zu more with %.3f J\n", t->n_rows - shown, joules_of(hidden_nj));
		overview_colour(&t->view, COLOUR_PLAIN);
	}
}

static int write_table(struct table *t)
{
	_free_ struct row *rows = calloc(t->totals->n + _BUCKET_ENERGY_MAX, sizeof(*rows));
	int r;

	if (!rows)
		return -ENOMEM;
	t->rows = rows;
	for (int c = 0; c < _COLUMN_MAX; c++)
		t->has_energy |= t->view.snapshot->has_column[c];
	add_consumers(t);
	add_rest(t);
	share_rows(t);

	overview_head(&t->view);
	overview_zones(&t->view);
	write_rows(t);
	r = functions_table(&t->view, t->since);
	overview_foot(&t->view);
	return r;
}

static void snapshot_drop(struct snapshot **snapshot)
{
	snapshot_free(*snapshot);
}

static int collect_and_write(struct table *t)
{
	const struct snapshot *snapshot = t->view.snapshot, *before = t->view.style->before;
	_consumers_ struct consumers totals = { 0 }, now = { 0 };
	_cleanup_(snapshot_drop) struct snapshot *since = NULL;
	int r = consumers_collect(snapshot, &totals);

	if (r < 0)
		return r;
	t->totals = t->now = &totals;
	t->now_ns = snapshot->t_ns - MIN(snapshot->t_ns, snapshot->start_t_ns);
	if (before) {
		r = snapshot_since(before, snapshot, &since);
		if (r == 0)
			r = consumers_collect(since, &now);
		if (r < 0)
			return r;
		t->now = &now;
		t->since = since;
		t->now_ns = snapshot->t_ns - MIN(snapshot->t_ns, before->t_ns);
	}
	return write_table(t);
}

int render_table(const struct snapshot *snapshot, const struct table_style *style, struct sbuf *out)
{
	struct table table = { .view = { .snapshot = snapshot,
					 .style = style,
					 .width = MIN(MAX(style->width, NARROWEST), WIDEST),
					 .out = out } };
	int r = collect_and_write(&table);

	if (r < 0 && !out->error)
		out->error = r;
	return out->error;
}
