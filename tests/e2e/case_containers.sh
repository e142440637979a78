# SPDX-License-Identifier: Apache-2.0
# Real containers: runc, in cgroups named as a kubelet names them.
# shellcheck shell=bash disable=SC2154,SC2015,SC2034

# shellcheck disable=SC1091
. "$here/container.sh"

pod=/kubepods/burstable/pod$(cat /proc/sys/kernel/random/uuid)

# contain ID SCRIPT: from create to delete; what the kernel charged to it goes to $T/truth.
contain() {
	local id=$1

	bundle "$T/bundle" "$pod/$id" "$2"
	group_ours "$pod/$id"
	runc_ create --bundle "$T/bundle" "$id" </dev/null >"$T/runc.log" 2>&1 ||
		fail "runc create: $(cat "$T/runc.log")"
	runc_ start "$id" || fail "runc start"
	wait_for 60 is_stopped "$id" || fail "container $id does not end"
	echo "$id $(kernel_cpu_ns "$pod/$id")" >>"$T/truth"
	runc_ delete "$id" || fail "runc delete"
}

# booked_within RATIO SECONDS: every container of $T/truth is in the snapshot by name, with its CPU
# time within a ratio and some absolute seconds.
booked_within() {
	local wrong

	wrong=$(jq -r --rawfile truth "$T/truth" --argjson ratio "$1" --argjson slack "$2" '
		(.containers | map({key: .container_id, value: .}) | from_entries) as $by
		| $truth | rtrimstr("\n") | split("\n")[] | split(" ")
		| .[0] as $id | (.[1] | tonumber / 1e9) as $want
		| if $by[$id] | not then "\($id) is not there"
		  elif ($by[$id].cpu_seconds - $want | fabs) > $ratio * $want + $slack
		  then "\($id) used \($want) s of CPU, booked \($by[$id].cpu_seconds)"
		  else empty end' "$T/snapshot") || fail "jq: $wrong"
	[ -z "$wrong" ] || fail "of $(wc -l <"$T/truth") containers: $wrong"
}

# runc moves its init while that runs: the kernel charges what it ran since the last tick to the new
# group, we to the old one, so some ticks are between the two.
it_bills_a_busy_container_its_cpu_time_and_energy() {
	local id

	need root runc busybox jq curl cgroups
	id=$(random_id)
	agent_start
	# The shell stays pid 1: a pid 1 that has no handler is not ended by its own timeout.
	contain "$id" 'timeout 2 sh -c "while :; do :; done"; :'
	snapshot "$T/snapshot"
	booked_within 0.01 0.02
	conserves "$T/snapshot"
	jq -e --arg id "$id" --arg group "$pod/$id" --arg uid "${pod##*/pod}" '
		.containers[] | select(.container_id == $id)
		| .cgroup == $group and .pod_uid == $uid and .ended != null
		and ([.joules[]] | length > 0 and all(. > 0))' "$T/snapshot" >/dev/null ||
		fail "container: $(jq -c --arg id "$id" '.containers[] | select(.container_id == $id)' "$T/snapshot")"
	curl -sf "$url/metrics" | grep -q "^podjoule_container_cpu_seconds_total{.*container_id=\"$id\"" ||
		fail "no series of container $id"
}

it_bills_twenty_containers_that_hardly_live() {
	local i

	need root runc busybox jq curl cgroups
	agent_start
	for i in $(seq 20); do
		contain "$(random_id)" "i=0; while [ \$i -lt $((i * 500)) ]; do i=\$((i + 1)); done"
	done
	snapshot "$T/snapshot"
	booked_within 0.01 0.02
	conserves "$T/snapshot"
}

# all_booked_within RATIO: the sum over $T/truth, and the sum of what each is off by.  A clock that a
# hypervisor has stopped is set right by the kernel and by us at different moments, so what was
# stolen meanwhile is between the two.
all_booked_within() {
	jq -e -r --rawfile truth "$T/truth" --argjson ratio "$1" '
		(.containers | map({key: .container_id, value: .cpu_seconds}) | from_entries) as $by
		| [$truth | rtrimstr("\n") | split("\n")[] | split(" ")
			| {want: (.[1] | tonumber / 1e9), got: $by[.[0]]}] as $all
		| ([$all[].want] | add) as $want | ([$all[].got] | add) as $got
		| ([$all[] | .got - .want | fabs] | add) as $off
		| ($ratio * $want + .cpu_seconds.steal) as $limit
		| if ($got - $want | fabs) <= $limit and $off <= $limit then empty
		  else "used \($want) s of CPU, booked \($got), off by \($off) in all" end
		' "$T/snapshot" >"$T/wrong" 2>&1
	[ ! -s "$T/wrong" ] || fail "$(cat "$T/wrong")"
}

it_names_and_books_a_thousand_that_live_for_milliseconds() {
	local lost

	need root jq curl cgroups "$SHORT_LIVED"
	agent_start --tombstones=2000 --max-cgroups=4096
	group_make "$pod"
	"$SHORT_LIVED" "$(hierarchy_dir)$pod" 1000 1000 50000 >"$T/truth" || fail "short_lived"
	[ "$(wc -l <"$T/truth")" -eq 1000 ] || fail "only $(wc -l <"$T/truth") lived"
	snapshot "$T/snapshot"
	# Each by name, with at least something of its own; then all of them together, closely.
	booked_within 0.1 0.04
	all_booked_within 0.005
	lost=$(curl -sf "$url/metrics" | awk '/^podjoule_agent_lost_events_total/ { print $2 }')
	[ "$lost" = 0 ] || fail "$lost lifecycle events were lost"
	conserves "$T/snapshot"
}

it_survives_more_cgroups_than_its_table_holds() {
	need root jq curl cgroups "$SHORT_LIVED"
	agent_start --tombstones=10 --max-cgroups=64
	group_make "$pod"
	"$SHORT_LIVED" "$(hierarchy_dir)$pod" 300 500 2000 >"$T/truth" || fail "short_lived"
	snapshot "$T/snapshot"
	conserves "$T/snapshot"
	kill -0 "$agent_pid" || fail "the agent has gone"
}

# booked_by ACTIVITY RATIO SECONDS: a group that still exists, against what the kernel says of it.
booked_by() {
	local activity=$1 group want got

	need root jq curl cgroups
	group=$pod/$(random_id)
	group_make "$group"
	agent_start --activity="$activity"
	burn_in "$group" 2
	snapshot "$T/snapshot"
	jq -e --arg want "$activity" '.activity.source == $want' "$T/snapshot" >/dev/null ||
		fail "activity: $(jq -c .activity "$T/snapshot")"
	want=$(kernel_cpu_ns "$group")
	got=$(jq --arg id "${group##*/}" '[.containers[] | select(.container_id == $id) | .cpu_seconds] | add' \
		"$T/snapshot")
	jq -ne --argjson want "$want" --argjson got "$got" --argjson ratio "$2" --argjson slack "$3" \
		'($want / 1e9) as $want | ($got - $want | fabs) <= $ratio * $want + $slack' >/dev/null ||
		fail "$activity booked $got s of $want ns"
}

it_counts_by_bpf() {
	booked_by bpf 0.002 0.0001
	conserves "$T/snapshot"
}

it_counts_by_cgroup_files() {
	booked_by cgroup 0.002 0.001
	conserves "$T/snapshot" 0.02
}

# Hundredths of a second, and a process that ends takes with it what was not read yet.
it_counts_by_proc() {
	booked_by proc 0.05 0.1
	conserves "$T/snapshot" 0.05
}
