# SPDX-License-Identifier: Apache-2.0
# A fake API server for a case, and words to ask it with.  Sourced by cases; $root and $T are
# theirs.  Control endpoints: tests/apiserver/control.h.
# shellcheck shell=bash disable=SC2154,SC2015,SC2034

FAKE_APISERVER=${FAKE_APISERVER:-$root/build/tests/fake_apiserver}
MERGE=application/merge-patch+json
SCORES=/apis/cluster.open-cluster-management.io/v1alpha1/namespaces/default/addonplacementscores

# api_start ARGS…: a server on a port that the kernel chose; $api is its URL, $api_pid its process.
api_start() {
	[ -x "$FAKE_APISERVER" ] || skip "fake_apiserver"
	rm -f "$T/port"
	"$FAKE_APISERVER" --port-file="$T/port" "$@" >"$T/api.out" 2>"$T/api.log" &
	api_pid=$!
	wait_for 10 test -s "$T/port" || fail "no port: $(cat "$T/api.log")"
	api=$(head -1 "$T/api.out")
}

# api_stop: it has to end by itself, and a sanitizer may not have found anything.
api_stop() {
	local status=0

	kill -TERM "$api_pid"
	wait "$api_pid" || status=$?
	[ "$status" -eq 0 ] || fail "ends with $status: $(cat "$T/api.log")"
}

# ask METHOD PATH [BODY [TYPE]]: $code, $T/head and $T/body; the body has to be whole.
ask() {
	code=$(curl -s -m 20 -A test/1 -g -X "$1" -D "$T/head" -o "$T/body" -w '%{http_code}' \
		${3:+-H "Content-Type: ${4:-application/json}" --data-raw "$3"} "$api$2") ||
		fail "$1 $2: the answer has no proper end: $(cat "$T/body")"
}

# is CODE [JQ]: what the last answer was.
is() {
	[ "$code" = "$1" ] && { [ -z "${2:-}" ] || jq -e "$2" "$T/body" >/dev/null; } ||
		fail "not $1 ${2:-}: $code $(cat "$T/body")"
}

has_header() {
	tr -d '\r' <"$T/head" | grep -qixE "$1" || fail "no header $1: $(cat "$T/head")"
}

# rv: the resourceVersion of the last answer.
rv() {
	jq -r .metadata.resourceVersion "$T/body"
}

# watch_to FILE PATH: the frames of the one watch, in the background; its process is $watch_pid.
watch_to() {
	curl -s -N -A test/1 -g "$api$2" >"$1" 2>/dev/null &
	watch_pid=$!
	wait_for 5 watches_are 1 || fail "the watch does not open"
}

watches_are() {
	[ "$(curl -s "$api/fake/state" | jq '.watches | length')" -eq "$1" ]
}

# frames FILE: "TYPE NAME" a line.
frames() {
	jq -r '"\(.type) \(.object.metadata.name)"' "$1"
}

lines_are() {
	[ "$(wc -l <"$1")" -ge "$2" ]
}

control() {
	curl -sf -X "$1" ${3:+--data-raw "$3"} "$api/fake/$2" || fail "$1 /fake/$2 ${3:-}"
}

# seed_pods N NODE: pods p000 … with a container each, of about a kilobyte.
seed_pods() {
	control POST seed "$(jq -nc --argjson n "$1" --arg node "$2" '{items: [range($n) | {
		metadata: {name: "p\("00\(.)"[-3:])", namespace: "default", uid: "uid-\(.)"},
		spec: {nodeName: $node, containers: [{name: "c", image: "i"}]},
		status: {phase: "Running", containerStatuses: [{name: "c", ready: true,
			containerID: "containerd://\("0" * 60)\(1000 + .)"}]}}]}')" >/dev/null
}

config_map() {
	ask POST /api/v1/namespaces/default/configmaps '{"metadata":{"name":"'"$1"'"},"data":{"a":"b"}}'
	is 201
}
