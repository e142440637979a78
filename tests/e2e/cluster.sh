# SPDX-License-Identifier: Apache-2.0
# A cluster around the agent: a fake API server, pods in it, and the node's files about them.
# shellcheck shell=bash disable=SC2154,SC2015,SC2034

# shellcheck disable=SC1091
. "$here/apiserver.sh"

node='node-a'

# pod_json NAMESPACE POD UID [JQ]: a running pod of this node; JQ changes it.
pod_json() {
	jq -cn --arg namespace "$1" --arg pod "$2" --arg uid "$3" --arg node "$node" '{
		apiVersion: "v1", kind: "Pod",
		metadata: {name: $pod, namespace: $namespace, uid: $uid, labels: {app: "shop"}},
		spec: {nodeName: $node, containers: [{name: "main", image: "i"}]},
		status: {phase: "Running", qosClass: "Burstable"}
	} | '"${4:-.}"
}

# jq to give a pod a container: with_container NAME ID [CPU]
with_container() {
	echo ".spec.containers = ((.spec.containers | map(select(.image != \"i\" or .name != \"main\")))
		+ [{name: \"$1\", image: \"j\"} + (if \"${3:-}\" == \"\" then {} else {resources: {requests: {cpu: \"${3:-}\"}}} end)])
		| .status.containerStatuses = ((.status.containerStatuses // [])
		+ [{name: \"$1\", ready: true, restartCount: 0, containerID: \"containerd://$2\"}])"
}

owned_by() {
	echo ".metadata.ownerReferences = [{apiVersion: \"x/v1\", kind: \"$1\", name: \"$2\", uid: \"1\", controller: true}]"
}

# api_put JSON…: these pods, in the API server.
api_put() {
	printf '%s\n' "$@" | jq -cs '{items: .}' |
		curl -sf -o "$T/api.answer" -H 'Content-Type: application/json' --data-binary @- "$api/fake/seed" ||
		fail "the API server does not take pods: $(cat "$T/api.answer")"
}

api_fault() {
	curl -sf -o /dev/null -H 'Content-Type: application/json' -d "$1" "$api/fake/fault" || fail "no fault $1"
}

# burn_briefly CGROUP: one process that lives for 5 ms in a container's cgroup below a pod's; prints
# the container's id.
burn_briefly() {
	group_make "$1"
	"$SHORT_LIVED" "$(hierarchy_dir)$1" 1 5000 5000 | cut -d' ' -f1
}

# metric LINE-REGEX: the value of the one series that matches, or nothing.
metric() {
	curl -sf "$url/metrics" | sed -nE "s/^$1 ([-+0-9.e]+)\$/\1/p"
}

has_metric() {
	[ -n "$(metric "$1")" ]
}

# positive VALUE WHAT
positive() {
	[ -n "$1" ] && awk -v v="$1" 'BEGIN { exit !(v > 0) }' || fail "$2 is '${1:-not there}'"
}

# api_patch NAMESPACE POD JSON [status]
api_patch() {
	curl -sf -o "$T/api.answer" -X PATCH -H 'Content-Type: application/merge-patch+json' -d "$3" \
		"$api/api/v1/namespaces/$1/pods/$2${4:+/$4}" || fail "PATCH $2: $(cat "$T/api.answer")"
}

api_delete() {
	curl -sf -o "$T/api.answer" -X DELETE "$api/api/v1/namespaces/$1/pods/$2?gracePeriodSeconds=0" ||
		fail "DELETE $2: $(cat "$T/api.answer")"
}

# watch_start ARGS…: an agent that watches the API server.
watch_start() {
	agent_start --kube-server="$api" --node-name="$node" "$@"
	wait_for 10 grep -q 'kube: .*pods' "$T/agent.log" || fail "no watch"
}

# kubelet_logs ROOT NAMESPACE POD UID CONTAINER ID: what a kubelet leaves in /var/log.
kubelet_logs() {
	local pods=$1/var/log/pods

	mkdir -p "$pods/$2_$3_$4/$5" "$1/var/log/containers"
	ln -sf "/var/log/pods/$2_$3_$4/$5/0.log" "$1/var/log/containers/$3_$2_$5-$6.log"
}

# containerd_bundle ROOT ID NAMESPACE POD UID TYPE [CONTAINER]
containerd_bundle() {
	local dir=$1/run/containerd/io.containerd.runtime.v2.task/k8s.io/$2

	mkdir -p "$dir"
	jq -n --arg namespace "$3" --arg pod "$4" --arg uid "$5" --arg type "$6" --arg name "${7:-}" '{
		ociVersion: "1.0.2", linux: {resources: {cpu: {shares: 256}}},
		annotations: ({
			"io.kubernetes.cri.container-type": $type,
			"io.kubernetes.cri.sandbox-namespace": $namespace,
			"io.kubernetes.cri.sandbox-name": $pod,
			"io.kubernetes.cri.sandbox-uid": $uid
		} + (if $name == "" then {} else {"io.kubernetes.cri.container-name": $name} end))
	}' >"$dir/config.json"
}

# groups_hold_all SNAPSHOT: the namespaces have, to the nanojoule, what pods and containers without
# one have had; once every pod has its name or is gone.
groups_hold_all() {
	local wrong

	wrong=$(jq -r '
		def nj: . * 1e9 | round;
		def sum: reduce .[] as $x (0; . + $x);
		(if [.zones[].zone] | index("package") then ["package", "dram", "gpu"] else ["platform"] end)[] as $zone
		| ([.zones[] | select(.zone == $zone) | .buckets.containers | nj] | sum) as $bucket
		| ([.namespaces[].joules[$zone] // 0 | nj] | sum) as $named
		| select($bucket != $named)
		| "\($zone): bucket containers has \($bucket) nJ, the namespaces \($named)"' "$1")
	[ -z "$wrong" ] || fail "$wrong"
}
