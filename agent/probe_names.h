/* SPDX-License-Identifier: Apache-2.0 */
/* Probe names: who could tell the names of pods on this node. */
#ifndef PODJOULE_PROBE_NAMES_H
#define PODJOULE_PROBE_NAMES_H

#include <stdbool.h>

#include "config.h"
#include "energy/energy.h"

/*
 * A row each for the API server ("kube", which is asked once and has 5 s to answer) and for the
 * node's files ("local").  *ret_named: somebody does.
 */
void probe_names(const struct config *config, struct probe_list *list, bool *ret_named);

#endif
