/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "platform/host.h"
#include "platform/log.h"
#include "platform/scope.h"
#include "unit/no_leaks.h"

static char root[] = "/tmp/host-XXXXXX";
static char said[512];

static void hear(enum log_level level _unused_, const char *line)
{
	snprintf(said, sizeof(said), "%s", line);
}

/* A file of the fixture tree, with the directories that it needs. */
static void put(const char *path, const char *text)
{
	char full[256];
	FILE *file;

	snprintf(full, sizeof(full), "%s/%s", root, path);
	for (char *slash = strchr(full + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(full, 0755);
		*slash = '/';
	}
	file = fopen(full, "w");
	fputs(text, file);
	fclose(file);
}

static void put_cpu(unsigned int cpu, const char *package, const char *die, const char *core)
{
	char path[96];

	snprintf(path, sizeof(path), "devices/system/cpu/cpu%u/topology/physical_package_id", cpu);
	put(path, package);
	snprintf(path, sizeof(path), "devices/system/cpu/cpu%u/topology/die_id", cpu);
	if (die)
		put(path, die);
	snprintf(path, sizeof(path), "devices/system/cpu/cpu%u/topology/core_id", cpu);
	put(path, core);
}

static void make_root(void)
{
	cr_assert(mkdtemp(root) != NULL);
	log_set_sink(hear);
}

static void remove_root(void)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -rf %s", root);
	cr_assert(zero(int, system(command)));
	no_leaks();
}

TestSuite(host, .init = make_root, .fini = remove_root);

Test(host, opens_this_machine_without_being_told_where)
{
	struct host host;

	cr_assert(zero(int, host_open(NULL, NULL, NULL, &host)));
	cr_expect(ge(int, host.proc_fd, 0));
	cr_expect(not(host.fixture));
	cr_expect(gt(u64, host.now_ns(), 0));
	host_close(&host);
	cr_expect(eq(int, host.sys_fd, -1));
	host_close(&host);
}

Test(host, takes_a_tree_for_a_fixture_only_if_it_is_not_the_kernels_own)
{
	struct host host;

	cr_assert(zero(int, host_open("/sys/../sys", "/proc", NULL, &host)));
	cr_expect(not(host.fixture), "a mount of the host at another path");
	host_close(&host);
	cr_assert(zero(int, host_open(root, NULL, NULL, &host)));
	cr_expect(host.fixture);
	host_close(&host);
	cr_assert(zero(int, host_open(NULL, root, NULL, &host)));
	cr_expect(host.fixture);
	host_close(&host);
}

Test(host, names_the_flag_of_a_tree_that_is_not_there)
{
	static const char *const flags[] = { "--sysfs=/no/such", "--procfs=/no/such",
					     "--cgroupfs=/no/such" };

	for (int i = 0; i < 3; i++) {
		struct host host = { .sys_fd = 77 };
		const char *trees[3] = { NULL };

		trees[i] = "/no/such";
		cr_expect(eq(int, host_open(trees[0], trees[1], trees[2], &host), -ENOENT));
		cr_expect(strstr(said, flags[i]) != NULL, "%s", said);
		cr_expect(eq(int, host.sys_fd, 77), "untouched");
	}
}

Test(host, leaves_no_fd_open_when_it_fails)
{
	struct host host;
	int before = dup(0), after;

	close(before);
	cr_assert(lt(int, host_open("/sys", "/proc", "/no/such", &host), 0));
	after = dup(0);
	close(after);
	cr_assert(eq(int, after, before));
}

Test(host, reads_small_files_whole_or_as_much_as_fits)
{
	char buf[64], tiny[4];
	struct host host;
	uint64_t value = 5;
	_close_ int fd = -1;

	put("word", "intel-rapl:0\n");
	put("number", "18446744073709551615\n");
	put("empty", "");
	cr_assert(zero(int, host_open(root, NULL, NULL, &host)));
	cr_expect(eq(int, (int)host_read(host.sys_fd, "word", buf, sizeof(buf)), 13));
	cr_expect(eq(str, buf, "intel-rapl:0\n"));
	cr_expect(zero(int, host_read_word(host.sys_fd, "word", buf, sizeof(buf))));
	cr_expect(eq(str, buf, "intel-rapl:0"));
	cr_expect(eq(int, (int)host_read(host.sys_fd, "word", tiny, sizeof(tiny)), 3));
	cr_expect(eq(str, tiny, "int"));
	cr_expect(eq(int, (int)host_read(host.sys_fd, "word", tiny, 0), -EINVAL));
	cr_expect(zero(int, (int)host_read(host.sys_fd, "empty", buf, sizeof(buf))));
	cr_expect(eq(str, buf, ""));

	cr_expect(eq(int, host_read_u64(host.sys_fd, "word", &value), -EINVAL));
	cr_expect(eq(int, host_read_u64(host.sys_fd, "empty", &value), -EINVAL));
	cr_expect(eq(int, host_read_u64(host.sys_fd, "missing", &value), -ENOENT));
	cr_expect(eq(int, host_read_u64(-1, "/proc/uptime", &value), -ENOENT));
	cr_expect(eq(int, host_read_u64(host.sys_fd, ".", &value), -EISDIR));
	cr_expect(eq(u64, value, 5));
	cr_expect(zero(int, host_read_u64(host.sys_fd, "number", &value)));
	cr_expect(eq(u64, value, UINT64_MAX));

	fd = openat(host.sys_fd, "number", O_RDONLY);
	put("number", "7\n");
	cr_expect(eq(int, (int)host_pread(fd, buf, sizeof(buf)), 2), "an open fd sees new values");
	cr_expect(eq(str, buf, "7\n"));
	host_close(&host);
}

/* /proc hands out long files by the page: nothing of them may be missing. */
Test(host, reads_a_long_proc_file_to_its_end)
{
	static char whole[1 << 20], got[1 << 20];
	_fclose_ FILE *file = fopen("/proc/self/smaps", "r");
	_close_ int fd = open("/proc/self/smaps", O_RDONLY);
	struct host host;
	ssize_t n;

	cr_assert(zero(int, host_open(NULL, NULL, NULL, &host)));
	cr_assert(gt(sz, fread(whole, 1, sizeof(whole), file), 8192));
	n = host_read(host.proc_fd, "self/smaps", got, sizeof(got));
	cr_expect(gt(int, (int)n, 8192));
	cr_expect(strstr(got, "[stack]") != NULL);
	n = host_pread(fd, got, sizeof(got));
	cr_expect(gt(int, (int)n, 8192));
	cr_expect(strstr(got, "[stack]") != NULL);
	host_close(&host);
}

TestSuite(topology, .init = make_root, .fini = remove_root);

static struct topology topology;

static void read_fixture(void)
{
	struct host host;

	cr_assert(zero(int, host_open(root, NULL, NULL, &host)));
	topology_read(&host, &topology);
	host_close(&host);
}

Test(topology, finds_at_least_one_package_and_cpu_on_any_machine)
{
	struct host host;

	cr_assert(zero(int, host_open(NULL, NULL, NULL, &host)));
	topology_read(&host, &topology);
	host_close(&host);
	cr_expect(ge(uint, topology.n_packages, 1));
	cr_expect(eq(uint, topology.n_online, (unsigned int)sysconf(_SC_NPROCESSORS_ONLN)));
	cr_expect(ge(uint, topology.n_cpus, topology.n_online));
	cr_expect(ge(uint, topology.n_cores, 1));
	cr_expect(le(uint, topology.n_cores, topology.n_online));
}

Test(topology, falls_back_to_one_package_where_nothing_is_said)
{
	read_fixture();
	cr_expect(eq(uint, topology.n_packages, 1));
	cr_expect(eq(uint, topology.n_online, (unsigned int)sysconf(_SC_NPROCESSORS_ONLN)));
}

Test(topology, believes_the_fixture_about_sockets_that_interleave)
{
	put("devices/system/cpu/possible", "0-9\n");
	put("devices/system/cpu/online", "0-7\n");
	/* Two sockets numbered 4 and 1 by the firmware, two threads a core, CPUs taking turns. */
	for (unsigned int cpu = 0; cpu < 8; cpu++)
		put_cpu(cpu, cpu % 2 ? "1\n" : "4\n", NULL, cpu % 4 < 2 ? "0\n" : "1\n");
	read_fixture();
	cr_expect(eq(uint, topology.n_cpus, 10));
	cr_expect(eq(uint, topology.n_online, 8));
	cr_expect(eq(uint, topology.n_packages, 2));
	cr_expect(eq(uint, topology.n_cores, 4));
	cr_expect(eq(uint, topology.package_id[0], 1));
	cr_expect(eq(uint, topology.package_id[1], 4));
	for (unsigned int cpu = 0; cpu < 8; cpu++)
		cr_expect(eq(uint, topology.package_of[cpu], cpu % 2 ? 0 : 1));
	cr_expect(zero(uint, topology.package_of[8]));
	cr_expect(not(topology.online[8]));
}

Test(topology, tells_cores_of_two_dies_apart)
{
	put("devices/system/cpu/possible", "0-3\n");
	put("devices/system/cpu/online", "0-3\n");
	for (unsigned int cpu = 0; cpu < 4; cpu++)
		put_cpu(cpu, "0\n", cpu < 2 ? "0\n" : "1\n", "0\n");
	read_fixture();
	cr_expect(eq(uint, topology.n_cores, 2));
	cr_expect(eq(uint, topology.die_of[1], 0));
	cr_expect(eq(uint, topology.die_of[2], 1));
}

Test(topology, survives_nonsense)
{
	put("devices/system/cpu/possible", "3-1,x\n");
	put("devices/system/cpu/online", "4090-8191\n");
	put_cpu(4095, "-1\n", "-1\n", "junk\n");
	read_fixture();
	cr_expect(eq(uint, topology.n_cpus, HOST_MAX_CPUS));
	cr_expect(eq(uint, topology.n_online, 6), "CPUs beyond the limit are not counted");
	cr_expect(eq(uint, topology.n_packages, 1));
	cr_expect(zero(uint, topology.package_id[0]));
	cr_expect(zero(uint, topology.package_of[4095]));
}

Test(topology, gives_more_packages_than_it_can_number_to_the_first)
{
	char id[16];

	put("devices/system/cpu/possible", "0-79\n");
	put("devices/system/cpu/online", "0-79\n");
	for (unsigned int cpu = 0; cpu < 80; cpu++) {
		snprintf(id, sizeof(id), "%u\n", cpu);
		put_cpu(cpu, id, NULL, id);
	}
	read_fixture();
	cr_expect(eq(uint, topology.n_packages, HOST_MAX_PACKAGES));
	for (unsigned int cpu = 0; cpu < 80; cpu++)
		cr_expect(eq(uint, topology.package_of[cpu], cpu < HOST_MAX_PACKAGES ? cpu : 0));
}

Test(topology, notices_hotplug_and_learns_where_a_new_cpu_sits)
{
	struct host host;

	put("devices/system/cpu/possible", "0-3\n");
	put("devices/system/cpu/online", "0-2\n");
	put_cpu(0, "0\n", NULL, "0\n");
	put_cpu(1, "1\n", NULL, "0\n");
	put_cpu(2, "1\n", NULL, "1\n");
	cr_assert(zero(int, host_open(root, NULL, NULL, &host)));
	topology_read(&host, &topology);
	cr_expect(not(topology_refresh(&host, &topology)), "nothing has changed");

	put("devices/system/cpu/online", "0,2-3\n");
	put_cpu(3, "1\n", NULL, "1\n");
	cr_expect(topology_refresh(&host, &topology));
	cr_expect(eq(uint, topology.n_online, 3));
	cr_expect(not(topology.online[1]));
	cr_expect(eq(uint, topology.package_of[1], 1), "gone, but still where it was");
	cr_expect(topology.online[3]);
	cr_expect(eq(uint, topology.package_of[3], 1));
	cr_expect(not(topology_refresh(&host, &topology)));
	host_close(&host);
}
