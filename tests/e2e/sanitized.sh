#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The agent with ASan, UBSan and LSan through its whole life: sanitized.sh AGENT TOOLS
set -u
cd "$(dirname "$0")/../.." || exit 2
agent=$1
tools=$2
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
passed=0 failed=0

# A sanitizer's finding is a failure whatever the exit status says.
verdict() { # NAME STATUS
	if [ "$2" -eq 0 ] && ! grep -qE 'ERROR: |runtime error:' "$dir/err"; then
		echo "ok       sanitized: $1"
		passed=$((passed + 1))
	else
		echo "FAILED   sanitized: $1 (status $2)"
		sed 's/^/         /' "$dir/err" | head -40
		failed=$((failed + 1))
	fi
}

runs() { # NAME ARGS…
	local name=$1
	shift
	"$agent" "$@" >"$dir/out" 2>"$dir/err"
	verdict "$name" $?
}

serves() {
	local pid port='' status
	"$agent" --listen=127.0.0.1:0 --health-listen=127.0.0.1:0 --live >"$dir/out" 2>"$dir/err" &
	pid=$!
	for _ in $(seq 100); do
		port=$(sed -n 's|.*/metrics on http://.*:\([0-9]*\).*|\1|p' "$dir/err" | head -1)
		[ -n "$port" ] && break
		sleep 0.1
	done
	for i in $(seq 100); do
		mkdir -p "/sys/fs/cgroup/cpuacct/podjoule-san-$i" 2>/dev/null
		curl -s --compressed "127.0.0.1:$port/metrics" -H "Accept: $([ $((i % 2)) -eq 0 ] &&
			echo 'application/openmetrics-text;version=1.0.0' || echo '*/*')" -o /dev/null
		curl -s "127.0.0.1:$port/v1/snapshot" -o /dev/null
		curl -s "127.0.0.1:$port/nothing" -o /dev/null
		rmdir "/sys/fs/cgroup/cpuacct/podjoule-san-$i" 2>/dev/null
	done
	curl -s "127.0.0.1:$port/v1/snapshot?for=1s" -o /dev/null
	kill -TERM "$pid"
	wait "$pid"
	status=$?
	verdict 'serves, is scraped in every form, stops' "$status"
}

runs 'measures with bpf' --duration=3s -o json
runs 'measures with cgroup files' --duration=2s -o table --activity=cgroup
runs 'measures with proc' --duration=2s -o csv --activity=proc
runs 'reads a rapl tree at 200 Hz' --duration=2s -o json --rate=200 \
	--sysfs=tests/fixtures/intel-2s/sys
runs 'has a table of 16 cgroups' --duration=2s -o json --max-cgroups=16 --tombstones=0
# Pods that come and go while their API server is up to every trick that it has.
names_pods() {
	local pid api server port='' group status fault on

	"$tools/fake_apiserver" --port-file="$dir/port" >"$dir/api" 2>&1 &
	server=$!
	for _ in $(seq 100); do [ -s "$dir/port" ] && break; sleep 0.1; done
	api=$(head -1 "$dir/api")
	mkdir -p "$dir/tree/var/log/pods" "$dir/tree/var/log/containers"
	"$agent" --listen=127.0.0.1:0 --kube-server="$api" --node-name=n --rootfs="$dir/tree" --processes=20 \
		--idle=equal --tombstones=20 --pod-label=app >"$dir/out" 2>"$dir/err" &
	pid=$!
	for _ in $(seq 100); do
		port=$(sed -n 's|.*/metrics on http://.*:\([0-9]*\).*|\1|p' "$dir/err" | head -1)
		[ -n "$port" ] && break
		sleep 0.1
	done
	group=/sys/fs/cgroup/cpuacct
	[ -d "$group" ] || group=/sys/fs/cgroup
	mkdir -p "$group/kubepods/burstable"
	for fault in none garble truncate close reorder duplicate expire; do
		curl -s -X DELETE "$api/fake/fault" -o /dev/null
		# Not what pod_churn itself asks for.
		for on in watch list; do
			[ "$fault" = none ] || curl -s -o /dev/null "$api/fake/fault" \
				-d "{\"on\":\"$on\",\"do\":\"$fault\",\"count\":2}"
		done
		"$tools/pod_churn" "$api" n "$group/kubepods/burstable" 10 10 1 >>"$dir/truth"
		mkdir -p "$dir/tree/var/log/pods/shop_$fault-0_8a3c71de-9f0c-4b5e-8d2a-0011223344ff/main"
		curl -s --compressed "127.0.0.1:$port/metrics" -o /dev/null
		curl -s "127.0.0.1:$port/v1/snapshot" -o /dev/null
	done
	kill -KILL "$server"
	sleep 2
	curl -s "127.0.0.1:$port/v1/snapshot?for=1s" -o /dev/null
	kill -TERM "$pid"
	wait "$pid"
	status=$?
	rmdir "$group/kubepods/burstable" "$group/kubepods" 2>/dev/null
	[ "$(wc -l <"$dir/truth")" -eq 140 ] || status=9
	verdict 'names pods, whatever the API server does' "$status"
}

runs 'probes' probe
serves
names_pods
echo "suite sanitized: $passed passed, $failed failed, 0 skipped"
[ "$failed" -eq 0 ]
