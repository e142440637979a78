# SPDX-License-Identifier: Apache-2.0
# Who used the joules: pods, owners and functions get their names, soon or late.
# shellcheck shell=bash disable=SC2154,SC2015,SC2034

# shellcheck disable=SC1091
. "$here/container.sh"
# shellcheck disable=SC1091
. "$here/cluster.sh"

late_s=${LATE_SECONDS:-8}

it_bills_a_pod_of_five_milliseconds_whose_name_comes_late() {
	local uid id

	need root jq curl cgroups "$SHORT_LIVED" "$FAKE_APISERVER"
	api_start
	watch_start --pods=kube
	uid=$(random_uuid)
	id=$(burn_briefly "/kubepods/burstable/pod$uid")
	sleep 2.2
	positive "$(metric "podjoule_container_joules_total\{.*namespace=\"\",.*container_id=\"$id\",.*\}")" \
		"energy of the container without a name"
	[ -z "$(metric 'podjoule_namespace_joules_total\{namespace="shop",.*\}')" ] || fail "a name out of nowhere"
	sleep "$((late_s - 2))"
	api_put "$(pod_json shop web-7d4b9c6f5d-x2x9k "$uid" "$(with_container main "$id") | $(owned_by ReplicaSet web-7d4b9c6f5d)
		| .metadata.labels[\"pod-template-hash\"] = \"7d4b9c6f5d\"")"
	wait_for 10 has_metric 'podjoule_namespace_joules_total\{namespace="shop",.*\}' ||
		fail "no series of its namespace"
	positive "$(metric 'podjoule_namespace_joules_total\{namespace="shop",.*\}')" "energy of its namespace"
	positive "$(metric 'podjoule_namespace_cpu_seconds_total\{namespace="shop"\}')" "time of its namespace"
	positive "$(metric "podjoule_pod_joules_total\{namespace=\"shop\",pod=\"web-7d4b9c6f5d-x2x9k\",pod_uid=\"$uid\",.*\}")" \
		"energy of its pod"
	positive "$(metric "podjoule_container_joules_total\{namespace=\"shop\",pod=\"web-7d4b9c6f5d-x2x9k\",container=\"main\",container_id=\"$id\",.*\}")" \
		"energy of its container"
	positive "$(metric 'podjoule_workload_joules_total\{namespace="shop",kind="deployment",workload="web",zone="[a-z]+"\}')" \
		"energy of its deployment"
}

# The table that an operator sees, of a real container.
it_prints_the_name_of_a_real_container() {
	local uid id

	need root runc busybox jq curl cgroups "$FAKE_APISERVER"
	api_start
	uid=$(random_uuid)
	id=$(random_id)
	api_put "$(pod_json shop web-0 "$uid" "$(with_container main "$id") | $(owned_by StatefulSet web)")"
	bundle "$T/bundle" "/kubepods/burstable/pod$uid/$id" 'timeout 4 sh -c "while :; do :; done"; :'
	group_ours "/kubepods/burstable/pod$uid/$id"
	runc_ run --detach --bundle "$T/bundle" "$id" </dev/null >"$T/runc.log" 2>&1 || fail "$(cat "$T/runc.log")"
	agent --duration=3s -o table --kube-server="$api" --node-name="$node"
	[ "$status" -eq 0 ] && grep -q 'shop/web-0/main' "$T/out" || fail "status $status: $(cat "$T/out" "$T/err")"
	agent --duration=1s -o json --kube-server="$api" --node-name="$node"
	jq -e '[.namespaces[] | select(.namespace == "" and .cpu_seconds > 0)] == []' "$T/out" >/dev/null ||
		fail "time of a pod with a name is nobody's: $(jq -c .namespaces "$T/out")"
	runc_ delete --force "$id"
	[ "$status" -eq 0 ] || fail "status $status: $(cat "$T/err")"
}

it_names_pods_by_the_files_of_the_node_alone() {
	local uid id sandbox root=$T/root

	need root jq curl cgroups "$SHORT_LIVED"
	mkdir -p "$root/var/log/pods" "$root/var/log/containers"
	agent_start --pods=local --rootfs="$root"
	uid=$(random_uuid)
	group_make "/kubepods/burstable/pod$uid"
	# As a runtime does it: the sandbox first, with no name but in its own files.
	sandbox=$(burn_briefly "/kubepods/burstable/pod$uid")
	containerd_bundle "$root" "$sandbox" shop web-7d4b9c6f5d-x2x9k "$uid" sandbox
	id=$(burn_briefly "/kubepods/burstable/pod$uid")
	kubelet_logs "$root" shop web-7d4b9c6f5d-x2x9k "$uid" main "$id"
	wait_for 10 has_metric 'podjoule_namespace_joules_total\{namespace="shop",.*\}' || fail "no namespace"
	snapshot "$T/snapshot"
	jq -e --arg id "$id" --arg sandbox "$sandbox" '
		([.containers[] | select(.container_id == $id)][0]
			| .namespace == "shop" and .pod == "web-7d4b9c6f5d-x2x9k" and .container == "main")
		and ([.containers[] | select(.container_id == $sandbox)] == [])
		and ([.pods[] | select(.pod == "web-7d4b9c6f5d-x2x9k")][0] | [.overhead[]] | add > 0)
		and ([.workloads[] | select(.workload == "web")][0] | .kind == "deployment" and .derived)
		' "$T/snapshot" >/dev/null || fail "$(jq -c '{containers, pods, workloads}' "$T/snapshot")"
	grep -q 'podjoule_workload_joules_total{.*derived="true"' <<<"$(curl -sf "$url/metrics")" ||
		fail "the workload does not say that it is a guess"
	conserves "$T/snapshot"
	groups_hold_all "$T/snapshot"
}

it_counts_what_a_cold_start_of_a_knative_function_costs() {
	local uid id proxy before after

	need root jq curl cgroups "$SHORT_LIVED" "$FAKE_APISERVER"
	api_start
	watch_start
	uid=$(random_uuid)
	api_put "$(pod_json shop web-00002-deployment-7d4b9c6f5d-x2x9k "$uid" '
		.metadata.labels += {"serving.knative.dev/service": "web", "serving.knative.dev/revision": "web-00002"}')"
	proxy=$(burn_briefly "/kubepods/burstable/pod$uid")
	id=$(burn_briefly "/kubepods/burstable/pod$uid")
	sleep 1.5
	api_patch shop web-00002-deployment-7d4b9c6f5d-x2x9k "$(jq -cn --arg id "$id" --arg proxy "$proxy" '{status: {
		conditions: [{type: "Ready", status: "True", lastTransitionTime: (now | floor | todate)}],
		containerStatuses: [{name: "user-container", containerID: ("containerd://" + $id)},
			{name: "queue-proxy", containerID: ("containerd://" + $proxy)}]}}')" status
	snapshot "$T/snapshot"
	jq -e '.functions == [.functions[] | select(.platform == "knative" and .namespace == "shop"
			and .function == "web" and .revision == "web-00002" and .pods == 1 and .cold_starts == 1
			and ([.joules[]] | add) > 0 and ([.cold_start_joules[]] | add) > 0
			and ([.overhead[]] | add) > 0)] and (.functions | length) == 1
		and ([.containers[] | select(.pod != "") | .container] | sort) == ["queue-proxy", "user-container"]' "$T/snapshot" >/dev/null ||
		fail "$(jq -c '{functions, containers: [.containers[].container]}' "$T/snapshot")"
	before=$(metric 'podjoule_function_joules_total\{platform="knative",namespace="shop",function="web",revision="web-00002",.*\}')
	positive "$before" "energy of the function"
	# It survives its pod, and a second start adds to it.
	api_delete shop web-00002-deployment-7d4b9c6f5d-x2x9k
	rmdir "$(hierarchy_dir)/kubepods/burstable/pod$uid"
	sleep 1.2
	after=$(metric 'podjoule_function_joules_total\{platform="knative",namespace="shop",function="web",revision="web-00002",.*\}')
	awk -v a="$after" -v b="$before" 'BEGIN { exit !(a >= b) }' || fail "fell from $before to $after"
}

it_bills_an_openwhisk_action_from_before_it_had_its_labels() {
	local uid id

	need root jq curl cgroups "$SHORT_LIVED" "$FAKE_APISERVER"
	api_start
	watch_start
	uid=$(random_uuid)
	api_put "$(pod_json openwhisk wskowdev-invoker-00-1-prewarm-nodejs "$uid" '
		.metadata.labels = {invoker: "invoker0", release: "owdev", "user-action-pod": "true"}')"
	id=$(burn_briefly "/kubepods/burstable/pod$uid")
	snapshot "$T/snapshot"
	jq -e '.functions == []' "$T/snapshot" >/dev/null || fail "a prewarmed pod is no function yet: $(jq -c .functions "$T/snapshot")"
	api_patch openwhisk wskowdev-invoker-00-1-prewarm-nodejs \
		'{"metadata": {"labels": {"openwhisk/action": "resize", "openwhisk/namespace": "guest"}}}'
	snapshot "$T/snapshot"
	jq -e '.functions | length == 1 and (.[0] | .platform == "openwhisk" and .namespace == "guest"
		and .function == "resize" and .pods == 1 and .cold_starts == 1 and .cpu_seconds > 0.004
		and ([.cold_start_joules[]] | add) > 0)' "$T/snapshot" >/dev/null || fail "$(jq -c .functions "$T/snapshot")"
}

# An outage loses no joule: who lived and died in it has its name when the API server is back.
it_catches_up_with_names_after_an_outage_of_the_api_server() {
	local i uid ids=() uids=() pods=()

	need root jq curl cgroups "$SHORT_LIVED" "$FAKE_APISERVER"
	api_start
	watch_start --pods=kube
	kill -STOP "$api_pid"
	for i in 1 2 3 4 5; do
		uid=$(random_uuid)
		ids+=("$(burn_briefly "/kubepods/burstable/pod$uid")")
		pods+=("$(pod_json "team-$i" "db-$i" "$uid" "$(with_container main "${ids[-1]}") | $(owned_by StatefulSet db)")")
		rmdir "$(hierarchy_dir)/kubepods/burstable/pod$uid"
	done
	sleep 3
	kill -CONT "$api_pid"
	api_put "${pods[@]}"
	snapshot "$T/snapshot"
	for i in 1 2 3 4 5; do
		jq -e --arg id "${ids[i - 1]}" --arg ns "team-$i" '
			([.containers[] | select(.container_id == $id)][0] | .namespace == $ns and .container == "main")
			and ([.namespaces[] | select(.namespace == $ns)][0] | .cpu_seconds > 0.004)' \
			"$T/snapshot" >/dev/null || fail "pod $i: $(jq -c '{namespaces, containers}' "$T/snapshot")"
	done
	groups_hold_all "$T/snapshot"
	conserves "$T/snapshot"
}

# Containers of $T/truth ("ID NAMESPACE POD" a line) have these names.
all_named() {
	curl -sf "$url/v1/snapshot" >"$T/snapshot"
	jq -e --rawfile truth "$T/truth" '
		([.containers[] | {key: .container_id, value: "\(.namespace) \(.pod)"}] | from_entries) as $by
		| [$truth | rtrimstr("\n") | split("\n")[] | split(" ") | $by[.[0]] == "\(.[1]) \(.[2])"] | all' \
		"$T/snapshot" >/dev/null
}

# Kill, hang, garble, reorder: whatever the API server does, nobody gets another's name.
it_gives_no_wrong_name_whatever_the_api_server_does() {
	local fault i uid id name lines

	need root jq curl cgroups "$SHORT_LIVED" "$FAKE_APISERVER"
	api_start
	watch_start --pods=kube
	i=0
	for fault in garble truncate close reorder duplicate slow expire '"status","status":503,"retry_after":1' \
		'"status","status":429,"retry_after":1' '"status","status":401' '"status","status":410'; do
		case $fault in \"*) ;; *) fault="\"$fault\"" ;; esac
		api_fault "{\"on\":\"any\",\"do\":$fault,\"count\":3}"
		uid=$(random_uuid)
		id=$(burn_briefly "/kubepods/burstable/pod$uid")
		name=pod-$i
		echo "$id team-$i $name" >>"$T/truth"
		api_put "$(pod_json "team-$i" "$name" "$uid" "$(with_container main "$id")")"
		i=$((i + 1))
		sleep 1
	done
	curl -sf -X DELETE -o /dev/null "$api/fake/fault" || fail "cannot clear the faults"
	kill -0 "$agent_pid" || fail "the agent has gone"
	wait_for 45 all_named || fail "names: $(jq -c '[.containers[] | {namespace, pod, container_id}]' "$T/snapshot") truth: $(cat "$T/truth")"
	conserves "$T/snapshot"
	# One line for each change of state: never more than two for each fault.
	lines=$(grep -c 'kube: ' "$T/agent.log")
	[ "$lines" -le 40 ] || fail "$lines lines about the API server"
}

it_takes_five_thousand_events_a_second_without_a_late_tick() {
	local late before

	need root jq curl cgroups "$FAKE_APISERVER"
	api_start
	watch_start --rate=20
	before=$(metric podjoule_agent_api_events_total)
	curl -sf -o /dev/null -H 'Content-Type: application/json' \
		-d "{\"events_per_second\":5000,\"seconds\":5,\"node\":\"$node\",\"pods\":250}" "$api/fake/storm" || fail "no storm"
	sleep 8
	late=$(curl -sf "$url/metrics" | awk '/^podjoule_agent_sample_late_seconds_bucket\{le="0.1"\}/ { a = $2 }
		/^podjoule_agent_sample_late_seconds_count/ { b = $2 } END { print b - a }')
	events=$(metric podjoule_agent_api_events_total)
	echo "measured: $((events - before)) events in 5 s; $late ticks were over 100 ms late"
	[ "$((events - before))" -ge 20000 ] || fail "only $((events - before)) events were taken"
	[ "$late" = 0 ] || fail "$late late ticks"
}

it_shares_idle_energy_out_by_request_and_equally() {
	local uid i ids mode

	need root jq curl cgroups "$SHORT_LIVED" "$FAKE_APISERVER"
	for mode in request equal; do
		api_start
		agent_start --kube-server="$api" --node-name="$node" --idle="$mode"
		ids=()
		for i in 1 3; do
			uid=$(random_uuid)
			ids+=("$(random_id)")
			group_make "/kubepods/burstable/pod$uid/${ids[-1]}"
			api_put "$(pod_json shop "pod-$i" "$uid" "$(with_container main "${ids[-1]}" "${i}00m")")"
		done
		# A pod that the API server knows and this node does not run.
		api_put "$(pod_json shop ghost "$(random_uuid)" "$(with_container main "$(random_id)" 9)")"
		sleep 5
		snapshot "$T/snapshot"
		jq -e --arg a "${ids[0]}" --arg b "${ids[1]}" --argjson ratio "$([ "$mode" = equal ] && echo 1 || echo 3)" '
			def idle($id): [.containers[] | select(.container_id == $id) | .idle_joules[]] | add;
			([.zones[].buckets.idle] | add) as $whole
			| idle($a) > 0 and (idle($b) / idle($a) / $ratio - 1 | fabs) < 0.2
			and idle($a) + idle($b) <= $whole + 1e-6' "$T/snapshot" >/dev/null ||
			fail "$mode: $(jq -c '[.containers[] | {pod, idle_joules}], [.zones[].buckets.idle]' "$T/snapshot")"
		curl -sf "$url/metrics" | grep -q "^podjoule_container_idle_joules_total{.*container_id=\"${ids[1]}\"" ||
			fail "no series"
		conserves "$T/snapshot"
		agent_stop
		api_stop
	done
}

vm_is_there() {
	curl -sf "$url/v1/snapshot" >"$T/snapshot"
	jq -e '[.vms[] | select(.vm == "demo" and .hypervisor == "qemu"
		and .uuid == "8a3c71de-9f0c-4b5e-8d2a-0011223344ff" and .cpu_seconds > 0)] | length == 1' \
		"$T/snapshot" >/dev/null
}

it_tells_a_virtual_machine_by_its_hypervisor() {
	local group

	need root jq curl cgroups qemu-system-x86_64
	group=/podjoule-test-vm-$$
	group_make "$group"
	agent_start
	(echo "$BASHPID" >"$(hierarchy_dir)$group/cgroup.procs"
		exec qemu-system-x86_64 -accel tcg -display none -serial none -monitor none -m 64 -nodefaults \
			-name guest=demo,debug-threads=on -uuid 8a3c71de-9f0c-4b5e-8d2a-0011223344ff) >"$T/qemu.log" 2>&1 &
	wait_for 40 vm_is_there || fail "vms: $(jq -c '.vms, [.units[].unit]' "$T/snapshot") $(cat "$T/qemu.log")"
	positive "$(metric 'podjoule_vm_joules_total\{vm="demo",hypervisor="qemu",zone="[a-z]+"\}')" "energy of the VM"
	positive "$(metric 'podjoule_bucket_cpu_seconds_total\{bucket="vms"\}')" "time of bucket vms"
	conserves "$T/snapshot"
}

it_lists_the_processes_that_used_most() {
	local group id

	need root jq curl cgroups
	id=$(random_id)
	group=/kubepods/besteffort/pod$(random_uuid)/$id
	group_make "$group"
	agent_start --processes=5
	cp /bin/sh "$T/hot-process"
	(echo "$BASHPID" >"$(hierarchy_dir)$group/cgroup.procs"
		exec timeout 6 "$T/hot-process" -c 'while :; do :; done') &
	sleep 4
	snapshot "$T/snapshot"
	jq -e --arg id "$id" '(.processes | length) <= 5
		and ([.processes[] | select(.container_id == $id and .cpu_seconds > 2
			and ([.joules[]] | add) > 0)] | length == 1)
		and ([.processes[] | select(.container_id == $id) | .joules[]] | add)
			<= ([.containers[] | select(.container_id == $id) | .joules[]] | add)' "$T/snapshot" >/dev/null ||
		fail "$(jq -c '.processes, [.containers[] | {container_id, joules}]' "$T/snapshot")"
	curl -sf "$url/metrics" | grep -q "^podjoule_process_joules_total{pid=\"[0-9]*\",comm=\"hot-process\",container_id=\"$id\"" ||
		fail "no series: $(curl -sf "$url/metrics" | grep '^podjoule_process')"
}

it_refuses_without_somebody_who_names_pods_when_told_so() {
	need curl
	mkdir "$T/empty"
	agent --require=pods --pods=auto --rootfs="$T/empty" --duration=20s
	[ "$status" -eq 3 ] && grep -q -- '--require=pods' "$T/err" || fail "status $status: $(cat "$T/err")"
	agent --pods=kube --duration=1s
	[ "$status" -ne 0 ] && grep -q -- '--kube-server' "$T/err" || fail "status $status: $(cat "$T/err")"
}
