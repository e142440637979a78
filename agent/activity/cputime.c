/* SPDX-License-Identifier: Apache-2.0 */
#include "activity/cputime.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "activity/proctext.h"
#include "platform/scope.h"

/* One line holds ten numbers of up to 20 digits; what follows the cpu lines is not read. */
#define LINE_MAX_BYTES 224

static void raise_to(uint64_t *value, uint64_t to)
{
	if (to > *value)
		*value = to;
}

static void read_cpu(struct cputime *time, const struct cpu_ticks *ticks, uint64_t *delta_ns)
{
	uint64_t busy = ticks->user + ticks->nice + ticks->system + ticks->irq + ticks->softirq;
	unsigned int package;

	time->cpus++;
	if ((unsigned int)ticks->cpu >= time->topology->n_cpus)
		return;
	package = time->topology->package_of[ticks->cpu];
	if (package >= time->topology->n_packages)
		package = 0;
	if (busy > time->last_ticks[ticks->cpu]) {
		uint64_t ns = (busy - time->last_ticks[ticks->cpu]) * time->tick_ns;

		time->package_ns[package] += ns;
		delta_ns[package] += ns;
		time->last_ticks[ticks->cpu] = busy;
	}
}

static int read_stat(struct cputime *time, struct cpu_ticks *ret_total)
{
	ssize_t n = host_pread(time->fd, time->text, time->size);
	const char *p = time->text;
	unsigned int before = time->cpus;
	struct cpu_ticks ticks;
	uint64_t delta_ns[HOST_MAX_PACKAGES] = { 0 }, moved_ns = 0;
	bool total = false;

	if (n < 0)
		return (int)n;
	time->cpus = 0;
	while (proctext_cpu(&p, &ticks) == 1) {
		if (ticks.cpu >= 0) {
			read_cpu(time, &ticks, delta_ns);
		} else {
			*ret_total = ticks;
			total = true;
		}
	}
	for (size_t i = 0; i < HOST_MAX_PACKAGES; i++)
		moved_ns += delta_ns[i];
	if (moved_ns) /* between two clock ticks the last share is the best guess */
		memcpy(time->package_delta_ns, delta_ns, sizeof(delta_ns));
	if (time->cpus == 0) /* a kernel without SMP may leave the lines out */
		time->cpus = before ? before : MAX(time->topology->n_online, 1u);
	return total ? 0 : -EINVAL;
}

int cputime_open(const struct host *host, const struct topology *topology, struct cputime *ret)
{
	long hz = sysconf(_SC_CLK_TCK);
	struct cputime time = { .fd = -1, .topology = topology };
	struct cpu_ticks total;
	int r;

	if (host->proc_fd < 0)
		return -ENODEV;
	time.fd = openat(host->proc_fd, "stat", O_RDONLY | O_CLOEXEC);
	if (time.fd < 0)
		return errno == ENOENT ? -ENODEV : -errno;
	time.tick_ns = 1000000000u / (uint64_t)(hz > 0 ? hz : 100);
	time.size = ((size_t)topology->n_cpus + 2) * LINE_MAX_BYTES;
	time.text = malloc(time.size);
	time.last_ticks = calloc(MAX(topology->n_cpus, 1u), sizeof(*time.last_ticks));
	r = time.text && time.last_ticks ? read_stat(&time, &total) : -ENOMEM;
	if (r < 0) {
		cputime_close(&time);
		return r;
	}
	memset(time.package_ns, 0, sizeof(time.package_ns));
	time.boot_task_ns = (total.user + total.nice + total.system) * time.tick_ns;
	time.boot_irq_ns = (total.irq + total.softirq) * time.tick_ns;
	time.boot_steal_ns = total.steal * time.tick_ns;
	time.t_ns = host->now_ns();
	*ret = time;
	return 0;
}

void cputime_close(struct cputime *time)
{
	close_fd(&time->fd);
	free(time->text);
	free(time->last_ticks);
	*time = (struct cputime){ .fd = -1 };
}

static uint64_t since(uint64_t ticks, uint64_t tick_ns, uint64_t boot_ns)
{
	uint64_t ns = ticks * tick_ns;

	return ns > boot_ns ? ns - boot_ns : 0;
}

int cputime_update(struct cputime *time)
{
	struct cpu_ticks total;
	int r = read_stat(time, &total);

	if (r < 0)
		return r;
	raise_to(&time->task_ns,
		 since(total.user + total.nice + total.system, time->tick_ns, time->boot_task_ns));
	raise_to(&time->irq_ns, since(total.irq + total.softirq, time->tick_ns, time->boot_irq_ns));
	raise_to(&time->steal_ns, since(total.steal, time->tick_ns, time->boot_steal_ns));
	return 0;
}

/* What of want may still be booked: bounded by what is left, and never negative. */
static uint64_t take(uint64_t want_ns, uint64_t have_ns, uint64_t *room_ns)
{
	uint64_t ns = want_ns > have_ns ? MIN(want_ns - have_ns, *room_ns) : 0;

	*room_ns -= ns;
	return ns;
}

void cputime_settle(struct cputime *time, struct roster *roster, uint64_t t_ns, uint64_t irq_ns,
		    uint64_t pending_ns)
{
	struct activity *activity = roster->activity;
	const struct activity_row *row = activity->rows;
	uint64_t booked = row[OWNER_IDLE].usage.busy_ns + row[OWNER_STEAL].usage.busy_ns;
	uint64_t room, ns;

	if (t_ns > time->t_ns) {
		time->wall_ns += (t_ns - time->t_ns) * time->cpus;
		time->t_ns = t_ns;
	}
	roster_end(roster);
	for (unsigned int p = 0; p < activity->n_packages; p++)
		booked += activity->package_busy_ns[p];
	room = time->wall_ns > booked ? time->wall_ns - booked : 0;

	ns = take(irq_ns, row[OWNER_IRQ].usage.busy_ns, &room);
	roster_book_spread(roster, OWNER_IRQ, ns,
			   activity->n_packages > 1 ? time->package_ns : (uint64_t[]){ 1 });
	roster_book_rest(roster, OWNER_STEAL,
			 take(time->steal_ns, row[OWNER_STEAL].usage.busy_ns, &room));
	roster_book_rest(roster, OWNER_IDLE, room > pending_ns ? room - pending_ns : 0);

	activity->t_ns = time->t_ns;
	activity->cpus = time->cpus;
}
