/* SPDX-License-Identifier: Apache-2.0 */
/* Host: the machine we look at, as an argument.  Tests pass fixture trees and a clock of theirs. */
#ifndef PODJOULE_HOST_H
#define PODJOULE_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define HOST_MAX_CPUS     4096
#define HOST_MAX_PACKAGES 64

struct host {
	int sys_fd;               /* /sys, or -1 */
	int proc_fd;              /* /proc, or -1 */
	int cgroup_fd;            /* root of the cgroup mounts (/sys/fs/cgroup), or -1 */
	bool fixture;             /* a tree from --sysfs/--procfs: not this kernel's own */
	uint64_t (*now_ns)(void); /* CLOCK_MONOTONIC */
};

/* NULL paths mean /sys, /proc and /sys/fs/cgroup.  Logs and returns -errno naming the path. */
int host_open(const char *sysfs, const char *procfs, const char *cgroupfs, struct host *ret);
void host_close(struct host *host);
uint64_t host_monotonic_ns(void);

/*
 * Read a small file below a directory fd into buf, NUL-terminated; bytes read, or -errno.
 * host_pread does the same on an fd that is kept open (sysfs and cgroupfs give fresh values).
 */
ssize_t host_read(int dir_fd, const char *path, char *buf, size_t size);
ssize_t host_pread(int fd, char *buf, size_t size);
int host_read_u64(int dir_fd, const char *path, uint64_t *ret);
/* The same as a word without its newline. */
int host_read_word(int dir_fd, const char *path, char *buf, size_t size);

/*
 * Which package (socket) each CPU belongs to, from sys/devices/system/cpu.  Packages are numbered
 * 0..n_packages-1 in order of physical_package_id; package_id[] has the kernel's own ids.
 */
struct topology {
	unsigned int n_cpus; /* possible CPUs: highest id + 1 */
	unsigned int n_online;
	unsigned int n_packages; /* at least 1 */
	unsigned int n_cores;    /* distinct (package, die, core) among online CPUs */
	unsigned int package_id[HOST_MAX_PACKAGES];
	uint8_t package_of[HOST_MAX_CPUS]; /* by CPU */
	bool online[HOST_MAX_CPUS];
	uint16_t die_of[HOST_MAX_CPUS];
};

/* Never fails: what cannot be read is one package with the CPUs that sysconf() reports. */
void topology_read(const struct host *host, struct topology *ret);
/* Only the online mask and n_online, after hot-plug; true when something changed. */
bool topology_refresh(const struct host *host, struct topology *topology);

#endif
