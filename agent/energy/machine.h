/* SPDX-License-Identifier: Apache-2.0 */
/* Machine: what hardware this is, as far as it says so. */
#ifndef PODJOULE_MACHINE_H
#define PODJOULE_MACHINE_H

#include <stdbool.h>

#include "platform/host.h"

/* 0 or "" is what nobody said. */
struct machine_facts {
	char cpu[128];                        /* model name, printable ASCII */
	unsigned int sockets, cores, threads; /* online */
	double nominal_mhz;                   /* without turbo */
	double memory_gib;
	bool virtual; /* a guest: a fraction of a machine that it cannot see */
};

void machine_facts_read(const struct host *host, const struct topology *topology,
			struct machine_facts *ret);

#endif
