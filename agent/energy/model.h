/* SPDX-License-Identifier: Apache-2.0 */
/* Model: AC watts of a machine from what it is and how busy it is, where nothing measures them. */
#ifndef PODJOULE_MODEL_H
#define PODJOULE_MODEL_H

#include "energy/machine.h"
#include "energy/energy.h"
#include "platform/curve.h"

/* Always gives a curve, with a wide error_ratio where facts are missing or unlike the servers that
 * it was fitted on.  A guest gets its threads' share of a typical host. */
void model_curve(const struct machine_facts *facts, struct curve *ret);

/* Load (share of the machine's throughput) of OS busy time (share of its threads).  Not the same
 * with SMT: one busy thread on every core is load 0.91. */
double model_load(double busy, unsigned int threads, unsigned int cores);

/* Watts at load 0, for the ledger: the model knows its static power.  0 for any other source. */
double model_idle_watts(const struct energy_source *source);

#endif
