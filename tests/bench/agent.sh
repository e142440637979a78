#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What the whole agent costs, measured from outside: /proc of its process, nothing of its own.
#   agent.sh BUILD
# Protocol: every figure names its load and its length; CPU time is the sum of schedstat over the
# agent's threads, wake-ups are its context switches, memory is /proc/PID/status.
set -u
build=$1
agent=$build/podjoule-agent
plant=$build/tests/plant
dir=$(mktemp -d)
pids=()
root=/sys/fs/cgroup
for candidate in "$root/cpuacct" "$root/cpu,cpuacct" "$root"; do
	[ -d "$candidate" ] && break
done

finish() {
	kill "${pids[@]}" 2>/dev/null
	wait 2>/dev/null
	for i in $(seq 1000); do
		rmdir "$candidate/podjoule-bench/$(printf %064x "$i")" 2>/dev/null
	done
	rmdir "$candidate/podjoule-bench" 2>/dev/null
	rm -rf "$dir"
}
trap finish EXIT

cpu_ns() { cat /proc/"$1"/task/*/schedstat | awk '{ sum += $1 } END { printf "%d", sum }'; }
switches() { awk '/ctxt_switches/ { sum += $2 } END { print sum }' /proc/"$1"/task/*/status; }
memory() { awk -v key="$2:" '$1 == key { print $2 }' /proc/"$1"/status; }
row() { printf '%-58s %12s  %s\n' "$1" "$2" "${3:-}"; }

# Starts the agent beside a plant that writes a RAPL tree with 10 ms ticks; waits for its page.
start() {
	"$agent" --sysfs="$dir/sys" --listen=127.0.0.1:0 "$@" 2>"$dir/log" &
	pid=$!
	pids+=("$pid")
	for _ in $(seq 100); do
		port=$(sed -n 's|.*http://.*:\([0-9]*\).*|\1|p' "$dir/log" | head -1)
		[ -n "$port" ] && curl -sf "127.0.0.1:$port/readyz" >/dev/null && return
		sleep 0.05
	done
	cat "$dir/log" >&2
	exit 1
}

stop() { kill "$pid" && wait "$pid"; }

over() { # SECONDS: CPU in percent of one CPU and switches a second of the agent meanwhile
	local cpu0 switches0
	cpu0=$(cpu_ns "$pid") switches0=$(switches "$pid")
	sleep "$1"
	awk -v c="$(($(cpu_ns "$pid") - cpu0))" -v s="$(($(switches "$pid") - switches0))" -v t="$1" \
		'BEGIN { printf "%.4f %.2f", c / t / 1e7, s / t }'
}

begin=$(date +%s%N)
# No plant here: writing a tree every 10 ms is work, and work wakes the agent.
start --sysfs=tests/fixtures/intel-1s/sys
row "start to first sample" "$((($(date +%s%N) - begin) / 1000000)) ms" "(process start to /readyz, polled every 50 ms)"
sleep 2
read -r cpu rate < <(over 20)
row "idle node: wake-ups a second" "$rate" "(at most 1.2; 20 s, the agent's own context switches)"
row "idle node: CPU" "$cpu %" "(of one CPU)"
stop

"$plant" --dir="$dir" --machine=intel-1s --constant-watts=50 --seconds=600 --tick-us=10000 \
	>/dev/null &
pids+=("$!")
for _ in $(seq 100); do [ -e "$dir/sys/class/powercap/intel-rapl:0/energy_uj" ] && break; sleep 0.05; done

start --rate=10
stress-ng --cpu 1 --switch 1 --timeout 60s >/dev/null 2>&1 &
load=$!
sleep 2
read -r cpu rate < <(over 20)
row "10 Hz under load: CPU" "$cpu %" "(at most 0.1; stress-ng --cpu 1 --switch 1, 20 s, no scrapes)"
kill "$load"
wait "$load" 2>/dev/null
stop

start --rate=10
stress-ng --fork 8 --switch 4 --cpu 2 --pipe 2 --timeout 40s >/dev/null 2>&1 &
load=$!
sleep 30
curl -s "127.0.0.1:$port/metrics" >"$dir/metrics"
late=$(awk '/sample_late_seconds_bucket/ && /le="0.1"/ { low = $2 } /sample_late_seconds_count/ { all = $2 } END { printf "%d of %d", all - low, all }' "$dir/metrics")
row "ticks more than 100 ms late under storms" "$late" "(stress-ng --fork 8 --switch 4 --cpu 2 --pipe 2, 30 s at 10 Hz)"
kill "$load"
wait "$load" 2>/dev/null
stop

mkdir -p "$candidate/podjoule-bench"
for i in $(seq 1000); do
	name=$candidate/podjoule-bench/$(printf %064x "$i")
	mkdir -p "$name"
done
start
for i in $(seq 1000); do
	# One short process in each, so that each is a container with a series.
	(echo "$BASHPID" >"$candidate/podjoule-bench/$(printf %064x "$i")/cgroup.procs" && exec true)
done
for _ in 1 2 3 4 5; do
	curl -s --compressed "127.0.0.1:$port/metrics" >"$dir/metrics"
	sleep 1.1
done
row "1,000 containers: series" "$(grep -c '^podjoule_container' "$dir/metrics")" "(of podjoule_container_*)"
row "1,000 containers: RssAnon" "$(memory "$pid" RssAnon) kB" "(at most 10240)"
row "1,000 containers: whole RSS" "$(memory "$pid" VmRSS) kB" "(at most 24576)"
row "1,000 containers: VmHWM" "$(memory "$pid" VmHWM) kB" "(with the parse of the kernel's BTF at start)"
stop
