/* SPDX-License-Identifier: Apache-2.0 */
/* Probe: what this node offers, what was chosen, and why the rest is not there. */
#ifndef PODJOULE_PROBE_H
#define PODJOULE_PROBE_H

#include "config.h"
#include "platform/host.h"
#include "platform/sbuf.h"

/* Open every source as `run` would, print the table or JSON (CONTRACT section 4) to stdout. */
int probe_run(const struct config *config, const struct host *host,
	      const struct topology *topology);

#endif
