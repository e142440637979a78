#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# make bench: what podjoule costs.  Ratios and medians within one run; each part prints its protocol.
set -u
build=$1
cd "$(dirname "$0")/../.." || exit 2
echo "machine: $(uname -sr), $(nproc) CPUs, $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1)"
echo "load average before: $(cut -d' ' -f1-3 /proc/loadavg); steal so far: $(awk '/^cpu /{print $9 / 100}' /proc/stat) CPU s"
printf '\nA context switch (see the head of tests/bench/bench_switch.c)\n'
"$build/tests/bench_switch" ${BENCH_RUNS:+-r "$BENCH_RUNS"}
printf '\nA tick (tests/bench/bench_tick.c)\n'
"$build/tests/bench_tick" 1000 100
printf '\nA scrape (tests/bench/bench_scrape.c)\n'
"$build/tests/bench_scrape"
printf '\nThe whole agent (tests/bench/agent.sh)\n'
tests/bench/agent.sh "$build"
printf '\nsteal at the end: %s CPU s\n' "$(awk '/^cpu /{print $9 / 100}' /proc/stat)"
