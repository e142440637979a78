/* SPDX-License-Identifier: Apache-2.0 */
#include "energy/model.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "platform/log.h"
#include "platform/scope.h"

/*
 * The fit.  Watts at full load and the ratio of idle to full load, in log space, on log cores,
 * sockets, clock and memory (ridge 1, each CPU model weighted by the root of its servers); the
 * mean shape between the two.  166 single-node servers of 2017 to 2022, 25 CPU models, published
 * SPECpower_ssj2008 results; AC power at the inlet, 11 load levels.  Cross-validation in five
 * folds of whole CPU models: MAPE 17.2 % over servers and 19.3 % over CPU models, 29 % at idle,
 * root mean square of the log error 0.22 over servers and 0.26 over CPU models.  The last is the
 * doubt about a machine that the fit has not seen.  Log-normal, so it is larger upwards.
 */
#define SEEN_ERROR 0.26

/*
 * A guest is so many threads of a host that it cannot see.  Watts per thread of the same servers
 * differ by 0.49 (idle) and 0.44 (full load) in log; with the fit's own 0.26 that is 0.55, and
 * whether a virtual CPU is a thread or a core comes on top.
 */
#define GUEST_ERROR 0.6

/* Few cores, or CPUs of neither maker in the data: a board with 5 W looks like a server to us. */
#define UNSEEN_ERROR 0.7

/* A fact that nobody told is the median of the data.  Memory left out of the fit: 0.13 more. */
#define MISSING_ERROR 0.15

struct fact {
	double from, to; /* what the data has */
	double middle;   /* where the logarithm is 0 */
	double peak, ratio;
};
static const struct fact fact_cores = { 4, 224, 16, 0.3454, -0.1648 };
static const struct fact fact_sockets = { 1, 8, 2, 0.4731, -0.4186 };
static const struct fact fact_mhz = { 2000, 3700, 2400, 0.1700, -0.3484 };
static const struct fact fact_memory = { 16, 1536, 128, 0.2485, 0.2095 };
static const double peak_log = 5.4017, ratio_log = -1.4483;
static const double shape[CURVE_LEVELS] = { 0,      0.1859, 0.2571, 0.3233, 0.3900, 0.4602,
					    0.5388, 0.6296, 0.7409, 0.8641, 1 };

/* The median server of the data: the host that a guest is taken to run on. */
#define HOST_SOCKETS 2
#define HOST_CORES   64
#define HOST_THREADS 128
#define HOST_MHZ     2500
#define GIB_PER_CORE 3

/* One busy thread on every core of an SMT machine: DESIGN section 6. */
#define SMT_HALF 0.91

struct model_source {
	struct energy_source base;
	struct zone zone;
	struct curve curve;
	unsigned int threads, cores;
	bool started;
	struct node_load last;
	double load;    /* of the newest interval */
	double rest_nj; /* not yet whole nanojoules */
	uint64_t value_nj;
};

static void add_fact(const struct fact *fact, double value, double *peak, double *ratio)
{
	double x = log(fmin(fmax(value, fact->from), fact->to) / fact->middle);

	*peak += fact->peak * x;
	*ratio += fact->ratio * x;
}

static double or_else(double value, double otherwise, double *variance)
{
	if (value > 0 && isfinite(value))
		return value;
	*variance += MISSING_ERROR * MISSING_ERROR;
	return otherwise;
}

void model_curve(const struct machine_facts *facts, struct curve *ret)
{
	double variance = 0, peak = peak_log, ratio = ratio_log, share = 1;
	double threads = or_else(facts->threads, 1, &variance);
	double cores = or_else(facts->cores, threads, &variance);
	double sockets = or_else(facts->sockets, 1, &variance);
	double mhz = or_else(facts->nominal_mhz, HOST_MHZ, &variance);
	double memory = or_else(facts->memory_gib, GIB_PER_CORE * cores, &variance);
	bool seen = cores >= fact_cores.from &&
		    (strstr(facts->cpu, "Intel") || strstr(facts->cpu, "AMD"));
	double error = seen ? SEEN_ERROR : UNSEEN_ERROR;

	if (facts->virtual) {
		/* A guest larger than the typical host is a share of one that is larger too. */
		share = threads / HOST_THREADS;
		memory /= share;
		sockets = HOST_SOCKETS;
		cores = HOST_CORES;
		error = GUEST_ERROR;
	}
	add_fact(&fact_cores, cores, &peak, &ratio);
	add_fact(&fact_sockets, sockets, &peak, &ratio);
	add_fact(&fact_mhz, mhz, &peak, &ratio);
	add_fact(&fact_memory, memory, &peak, &ratio);

	ratio = fmin(exp(ratio), 0.9);
	for (int i = 0; i < CURVE_LEVELS; i++)
		ret->watts[i] = share * exp(peak) * (ratio + (1 - ratio) * shape[i]);
	ret->error_ratio = sqrt(error * error + variance);
}

double model_load(double busy, unsigned int threads, unsigned int cores)
{
	double load;

	if (!(busy > 0))
		return 0;
	busy = fmin(busy, 1);
	if (!cores || threads <= cores)
		return busy;
	/* The scheduler fills idle cores first: steep until every core has one busy thread, then
	 * what the second threads add. */
	load = busy * threads / cores;
	if (load <= 1)
		return load * SMT_HALF;
	return SMT_HALF + (1 - SMT_HALF) * (load - 1) / ((double)threads / cores - 1);
}

double model_idle_watts(const struct energy_source *source)
{
	if (!source || source->driver != &energy_model)
		return 0;
	return container_of(source, const struct model_source, base)->curve.watts[0];
}

static int model_open(const struct host *host, const struct energy_config *config,
		      struct energy_source **ret)
{
	_free_ struct model_source *model = calloc(1, sizeof(*model));
	struct machine_facts facts;

	if (!model)
		return log_errno(-ENOMEM, "model: cannot open");
	machine_facts_read(host, config->topology, &facts);
	model_curve(&facts, &model->curve);
	model->threads = facts.threads;
	model->cores = facts.cores;
	model->zone = (struct zone){
		.kind = ZONE_PLATFORM,
		.device = "0",
		.package = -1,
		.unit = ZONE_COUNTS_NJ,
		.quality = QUALITY_MODELLED,
		.source = energy_model.name,
		/* No limit: a curve cannot jump, and a clock that moves must not cost energy. */
		.error_ratio = model->curve.error_ratio,
	};
	model->base = (struct energy_source){
		.driver = &energy_model,
		.zones = &model->zone,
		.n_zones = 1,
	};
	*ret = &TAKE_PTR(model)->base;
	return 0;
}

/* Book what the curve gives for the time since the last read, at its mean load. */
static void integrate(struct model_source *model, const struct node_load *load)
{
	double cpu_ns, busy_ns, nj;
	uint64_t dt_ns;

	if (!model->started) {
		model->started = true;
		model->last = *load;
		return;
	}
	if (load->t_ns <= model->last.t_ns)
		return;
	dt_ns = load->t_ns - model->last.t_ns;
	cpu_ns = (double)dt_ns * load->cpus;
	/* Busy time that goes back is another count: the load that was goes on until the next. */
	if (load->busy_ns >= model->last.busy_ns && cpu_ns > 0) {
		busy_ns = (double)(load->busy_ns - model->last.busy_ns);
		model->load = model_load(busy_ns / cpu_ns, model->threads, model->cores);
	}
	nj = curve_watts(&model->curve, model->load) * (double)dt_ns + model->rest_nj;
	model->value_nj += (uint64_t)nj;
	model->rest_nj = nj - floor(nj);
	model->last = *load;
}

static void model_read(struct energy_source *source, const struct node_load *load, const bool *want,
		       struct reading *readings)
{
	struct model_source *model = container_of(source, struct model_source, base);

	if (want && !want[0]) {
		readings[0] = (struct reading){ .t_ns = load ? load->t_ns : 0, .error = -EAGAIN };
		return;
	}
	if (!load) {
		readings[0] = (struct reading){ .error = -ENODATA };
		return;
	}
	integrate(model, load);
	readings[0] = (struct reading){ .value = model->value_nj, .t_ns = model->last.t_ns };
}

static void model_close(struct energy_source *source)
{
	free(source ? container_of(source, struct model_source, base) : NULL);
}

const struct energy_driver energy_model = {
	.name = "model",
	.open = model_open,
	.read = model_read,
	.close = model_close,
};
