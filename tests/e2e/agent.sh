# SPDX-License-Identifier: Apache-2.0
# What every case stands on: the agent under its shipped privileges, and words to judge it with.
# Sourced by run.sh; $T is the case's own scratch folder.
# shellcheck shell=bash disable=SC2154,SC2015,SC2034

# Exactly what deploy/agent/daemonset.yaml and the systemd unit grant, as uid 0.
SHIPPED_CAPABILITIES=-all,+bpf,+perfmon,+dac_read_search

agent_pid=
url=

fail() {
	echo "$*" >&2
	[ ! -s "$T/agent.log" ] || { echo "-- agent.log:" && tail -25 "$T/agent.log"; } >&2
	exit 1
}

skip() {
	echo "$*" >&2
	exit 77
}

# need TOOL…: a case that cannot run is counted as skipped, by the tool that it lacks.
need() {
	local tool

	for tool in "$@"; do
		case $tool in
		root) [ "$(id -u)" -eq 0 ] || skip root ;;
		cgroups) [ -n "$(hierarchy_dir)" ] && [ -w "$(hierarchy_dir)" ] || skip "writable cgroups" ;;
		*) command -v "$tool" >/dev/null || skip "$tool" ;;
		esac
	done
}

# Become the program, with nothing but the shipped privileges when we are root.
exec_shipped() {
	if [ "$(id -u)" -eq 0 ]; then
		exec setpriv --bounding-set="${CAPABILITIES:-$SHIPPED_CAPABILITIES}" \
			--inh-caps=-all --no-new-privs "$@"
	fi
	exec "$@"
}

# agent ARGS…: run to its end; standard output is ours, $status the exit status, log in $T/err.
agent() {
	status=0
	(exec_shipped "$AGENT" "$@") >"$T/out" 2>"$T/err" || status=$?
}

# agent_start ARGS…: a daemon on a port that the kernel chose; $url and $agent_pid once it is ready.
agent_start() {
	(exec_shipped "$AGENT" --listen=127.0.0.1:0 "$@") >"$T/agent.out" 2>"$T/agent.log" &
	agent_pid=$!
	wait_for 20 agent_is_ready || fail "the agent is not ready after 20 s"
}

# The address as the log tells it.
agent_url() {
	url=$(sed -nE 's|.*page: .*(http://[0-9.]+:[0-9]+).*|\1|p' "$T/agent.log" | head -1)
}

agent_is_ready() {
	kill -0 "$agent_pid" 2>/dev/null || fail "the agent ended before it was ready"
	agent_url
	[ -n "$url" ] || return 1
	[ "$(curl -s -o /dev/null -w '%{http_code}' "$url/readyz")" = 200 ]
}

# agent_stop [SIGNAL]: $status is its exit status.
agent_stop() {
	status=0
	kill "-${1:-TERM}" "$agent_pid" 2>/dev/null
	wait "$agent_pid" 2>/dev/null || status=$?
	agent_pid=
}

# A port of 127.0.0.1 that nobody has.
free_port() {
	perl -MSocket -e 'socket(S, AF_INET, SOCK_STREAM, 0); bind(S, pack_sockaddr_in(0, INADDR_LOOPBACK));
		print((unpack_sockaddr_in(getsockname(S)))[0])'
}

# wait_for SECONDS COMMAND…: until it succeeds.
wait_for() {
	local end=$(($(date +%s%N) + $1 * 1000000000))
	shift

	until "$@"; do
		[ "$(date +%s%N)" -lt "$end" ] || return 1
		sleep 0.05
	done
}

# A snapshot that holds all that happened before the call: two publish intervals from now.
snapshot() {
	sleep 2.2
	curl -sf "$url/v1/snapshot" >"$1" || fail "no /v1/snapshot"
}

# conserves FILE [RATIO]: valid JSON, and every law that can be read from one snapshot; CPU time
# within a ratio of wall time x CPUs.
conserves() {
	local broken

	[ -s "$1" ] || fail "no JSON at all"
	broken=$(jq -r --argjson ratio "${2:-0.00001}" -f "$here/conserve.jq" "$1" 2>&1) || fail "not the JSON of the contract: $broken"
	[ -z "$broken" ] || fail "$broken"
}

# The hierarchy that owns tasks: v2 where /sys/fs/cgroup is cgroup2, else v1 cpuacct, else cpu.
hierarchy_dir() {
	local dir

	if [ "$(stat -fc %T /sys/fs/cgroup)" = cgroup2fs ]; then
		echo /sys/fs/cgroup
		return
	fi
	for dir in /sys/fs/cgroup/cpuacct /sys/fs/cgroup/cpu; do
		[ ! -d "$dir" ] || { echo "$dir" && return; }
	done
}

# CPU nanoseconds that the kernel charged to a directory of that hierarchy.
kernel_cpu_ns() {
	local dir

	dir=$(hierarchy_dir)$1
	if [ -e "$dir/cpuacct.usage" ]; then
		cat "$dir/cpuacct.usage"
	else
		awk '$1 == "usage_usec" { print $2 * 1000 }' "$dir/cpu.stat"
	fi
}

random_uuid() {
	cat /proc/sys/kernel/random/uuid
}

random_id() {
	head -c32 /dev/urandom | od -An -v -tx1 | tr -d ' \n'
}

# group_make PATH: a cgroup in the owning hierarchy.
group_make() {
	mkdir -p "$(hierarchy_dir)$1" || fail "cannot make cgroup $1"
	group_ours "$1"
}

# group_ours PATH: to be removed at the end, with its empty parents, in every hierarchy.
group_ours() {
	printf '%s\0' "$1" >>"$T/groups"
}

# burn_in PATH SECONDS: one process that spins in the group.  It sleeps while it is moved, as a
# runtime's does: what runs while it is moved is charged to either group, as the kernel pleases.
burn_in() {
	local pid

	mkfifo "$T/go" || fail "no fifo"
	(exec sh -c 'read -r go; timeout "$0" sh -c "while :; do :; done"; :' "$2" <"$T/go") &
	pid=$!
	exec 9>"$T/go"
	sleep 0.1
	echo "$pid" >"$(hierarchy_dir)$1/cgroup.procs" || fail "cannot move $pid to $1"
	echo go >&9
	exec 9>&-
	wait "$pid" || fail "cannot burn in $1"
	rm "$T/go"
}

# Takes down what a case has made; runs however it ended.
case_cleanup() {
	# Bytes: in UTF-8 a name that ends half-way through a character would swallow its NUL.
	local path base LC_ALL=C

	exec 2>/dev/null # the shell tells of each job that it loses
	[ -z "$agent_pid" ] || kill -KILL "$agent_pid" 2>/dev/null
	jobs -p | xargs -r kill -KILL 2>/dev/null
	wait 2>/dev/null
	[ ! -e "$T/groups" ] || while IFS= read -r -d '' path; do
		for base in /sys/fs/cgroup /sys/fs/cgroup/*/; do
			group_remove "${base%/}" "$path"
		done
	done <"$T/groups"
	rm -rf "$T"
}

# What still runs there ends with its case.  runc takes the leaf away itself, and leaves the parents.
group_remove() {
	local base=$1 path=$2 tries

	for tries in 1 2 3 4 5 6 7 8 9 10; do
		[ -d "$base$path" ] || break
		xargs -r kill -KILL <"$base$path/cgroup.procs"
		rmdir "$base$path" && break
		sleep "0.0$tries"
	done
	path=${path%/*}
	while [ -n "$path" ] && rmdir "$base$path"; do
		path=${path%/*}
	done
}

# A powercap tree with one package, its cores and its memory, below $1.
powercap_tree() {
	local zone=$1/class/powercap

	mkdir -p "$zone/intel-rapl:0" "$zone/intel-rapl:0:0" "$zone/intel-rapl:0:1"
	echo package-0 >"$zone/intel-rapl:0/name"
	echo core >"$zone/intel-rapl:0:0/name"
	echo dram >"$zone/intel-rapl:0:1/name"
	for zone in "$zone"/*; do
		echo 262143328850 >"$zone/max_energy_range_uj"
		echo 5000000 >"$zone/energy_uj"
	done
}
