/* SPDX-License-Identifier: Apache-2.0 */
/* Powercap scan: which RAPL zones a powercap tree has, each piece of energy once. */
#ifndef PODJOULE_POWERCAP_SCAN_H
#define PODJOULE_POWERCAP_SCAN_H

#include "energy/zone_name.h"

#define POWERCAP_MAX_DIRS 256 /* 16 sockets with four parts and as many twins */

struct powercap_zone {
	struct zone_dir dir;
	char dir_name[32];     /* "intel-rapl:0:2" */
	struct zone_name name; /* of a part of a package: with the package's numbers */
	char device[16];       /* "0", "0-die-1" */
	uint64_t wrap;
	int fd;       /* of its energy_uj, proven readable; -1: not */
	bool refused; /* a probe row says why */
};

struct powercap_scan {
	struct powercap_zone zones[POWERCAP_MAX_DIRS]; /* in order of their numbers */
	size_t n;
	int class_fd; /* borrowed */
	struct probe_list *probe;
	int error;     /* the first of what is here and broken; it has been logged */
	size_t beyond; /* directories that found no room */
};

/* Fill *scan; class_fd and probe (may be NULL) are the caller's.  0, or -errno of the directory. */
int powercap_scan(struct powercap_scan *scan, int class_fd, struct probe_list *probe);
/* Closes the fds that nobody has taken. */
void powercap_scan_close(struct powercap_scan *scan);

/* Read a counter that is kept open: -EINVAL for anything but one number. */
int powercap_read_uj(int fd, uint64_t *ret);
int powercap_read_name(int class_fd, const char *dir_name, struct zone_name *ret);

#endif
