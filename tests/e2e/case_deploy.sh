# SPDX-License-Identifier: Apache-2.0
# What is shipped around the agent: manifest, unit, image.
# shellcheck shell=bash disable=SC2154,SC2015,SC2034

manifest=$root/deploy/agent/daemonset.yaml
unit=$root/deploy/podjoule-agent.service

# JSON of the manifest as it is written, and as Kubernetes' own types read it: without a server.
manifest_as_written() {
	kubectl label --local -f "$manifest" -o json read=untyped
}

it_has_a_manifest_without_fields_that_kubernetes_does_not_know() {
	local lost

	need kubectl jq
	manifest_as_written | jq 'select(.kind == "DaemonSet")' >"$T/written.json"
	[ -s "$T/written.json" ] || fail "no DaemonSet"
	kubectl set env --local -f "$T/written.json" -o json READ=typed >"$T/typed.json" 2>"$T/err" ||
		fail "kubectl: $(cat "$T/err")"
	# The typed reader leaves out what is false anyway, and has put one variable more into env.
	lost=$(jq -rn --slurpfile written "$T/written.json" --slurpfile typed "$T/typed.json" '
		$written[0] as $a | $typed[0] as $b
		| [$a | paths(scalars)][] | . as $path
		| select(($a | getpath($path)) != ($b | getpath($path)) and ($a | getpath($path)) != false)
		| map(tostring) | join(".")')
	[ -z "$lost" ] || fail "Kubernetes drops: $lost"
}

it_grants_the_same_three_capabilities_everywhere() {
	local manifest_grants unit_grants tested

	need kubectl jq
	manifest_grants=$(manifest_as_written | jq -r 'select(.kind == "DaemonSet")
		| .spec.template.spec.containers[0].securityContext
		| select(.privileged == false and .allowPrivilegeEscalation == false
			and .readOnlyRootFilesystem and .capabilities.drop == ["ALL"])
		| .capabilities.add | sort | join(" ")')
	unit_grants=$(sed -n 's/^CapabilityBoundingSet=//p' "$unit" | tr ' ' '\n' | sed 's/^CAP_//' | sort |
		paste -sd' ')
	tested=$(echo "$SHIPPED_CAPABILITIES" | tr ',' '\n' | sed -n 's/^+//p' | tr '[:lower:]' '[:upper:]' | sort | paste -sd' ')
	[ "$manifest_grants" = "BPF DAC_READ_SEARCH PERFMON" ] || fail "the manifest grants '$manifest_grants'"
	[ "$unit_grants" = "$manifest_grants" ] || fail "the unit grants '$unit_grants'"
	[ "$tested" = "$manifest_grants" ] || fail "the tests grant '$tested'"
}

pods_mode() {
	kubectl label --local -f "$1" -o json read=1 | jq -r 'select(.kind == "DaemonSet")
		| .spec.template.spec.containers[0].env[] | select(.name == "PODJOULE_PODS").value'
}

it_asks_the_api_server_for_nothing_unless_told_to_watch_pods() {
	local base=$T/base.yaml watch=$T/watch.yaml

	need kubectl jq
	kubectl kustomize "$root/deploy/agent" >"$base" || fail "kustomize agent"
	kubectl kustomize "$root/deploy/agent-watch" >"$watch" || fail "kustomize agent-watch"
	[ "$(pods_mode "$base")" = local ] || fail "the base does not name pods by the node's files"
	! grep -qE 'kind: (ClusterRole|Role|ClusterRoleBinding|RoleBinding)|automountServiceAccountToken: true' "$base" ||
		fail "the base has a role or a token"
	[ "$(pods_mode "$watch")" = auto ] && grep -q 'automountServiceAccountToken: true' "$watch" ||
		fail "the overlay does not watch"
	[ "$(kubectl label --local -f "$watch" -o json read=1 | jq -c 'select(.kind == "ClusterRole") | .rules')" = \
		'[{"apiGroups":[""],"resources":["pods"],"verbs":["get","list","watch"]}]' ] ||
		fail "the overlay asks for more than to read pods"
	! grep -q 'nodes/proxy' "$watch" || fail "nodes/proxy"
}

it_has_a_unit_that_systemd_accepts() {
	need systemd-analyze
	sed "s|^ExecStart=/usr/bin/podjoule-agent|ExecStart=$AGENT|" "$unit" >"$T/podjoule-agent.service"
	systemd-analyze verify --man=no "$T/podjoule-agent.service" >"$T/out" 2>&1 && [ ! -s "$T/out" ] ||
		fail "systemd-analyze verify: $(cat "$T/out")"
}

# System calls of the words on standard input; a group stands for what is in it.
calls_named() {
	local word

	while read -r word; do
		case $word in
		@*) systemd-analyze syscall-filter "$word" | sed -nE 's/^ +([-@a-z0-9_]+)$/\1/p' | calls_named ;;
		*) echo "$word" ;;
		esac
	done
}

it_makes_no_system_call_that_its_unit_forbids() {
	need root systemd-analyze strace curl
	sed -n 's/^SystemCallFilter=//p' "$unit" | tr ' ' '\n' | calls_named | sort -u >"$T/allowed"
	[ "$(wc -l <"$T/allowed")" -gt 100 ] || fail "cannot read systemd's groups"
	strace -f -qq -o "$T/trace" "$AGENT" --duration=2s --listen=127.0.0.1:0 >"$T/out" 2>"$T/agent.log" &
	wait_for 10 grep -q 'page: .*http://' "$T/agent.log" || fail "not listening"
	agent_url
	wait_for 5 curl -sf --compressed -o /dev/null "$url/metrics" || fail "no /metrics under strace"
	wait $! || fail "the agent failed under strace"
	sed -nE 's/^[0-9]+ +([a-z0-9_]+)\(.*/\1/p' "$T/trace" | sort -u >"$T/made"
	[ "$(wc -l <"$T/made")" -gt 10 ] || fail "strace saw nothing"
	[ -z "$(comm -23 "$T/made" "$T/allowed")" ] ||
		fail "forbidden: $(comm -23 "$T/made" "$T/allowed" | paste -sd' ')"
}

oci_file() {
	echo "$T/oci/blobs/$(echo "$1" | tr : /)"
}

oci_blob() {
	jq -r "$2" "$(oci_file "$1")"
}

it_becomes_an_image_that_starts_with_nothing_else_in_it() {
	local config

	need root buildah tar jq
	"$root/deploy/image.sh" "$AGENT" "$T/image.tar" >"$T/log" 2>&1 || fail "image.sh: $(cat "$T/log")"
	mkdir "$T/oci" && tar -xf "$T/image.tar" -C "$T/oci" || fail "no archive"
	config=$(oci_blob "$(jq -r '.manifests[0].digest' "$T/oci/index.json")" .config.digest)
	jq -e '.config.Entrypoint == ["/usr/bin/podjoule-agent"] and .config.User == "0:0"' \
		"$(oci_file "$config")" >/dev/null || fail "config: $(cat "$(oci_file "$config")")"
	[ "$(stat -c %s "$T/image.tar")" -lt 12582912 ] || fail "$(tail -1 "$T/log")"
}

# As a DaemonSet runs it: the image's root file system, read-only, with the host's trees mounted.
it_runs_in_its_image_as_the_manifest_runs_it() {
	need root runc jq curl
	"$root/deploy/image.sh" --root "$AGENT" "$T/rootfs" >"$T/log" 2>&1 || fail "image.sh: $(cat "$T/log")"
	(cd "$T" && runc spec) || fail "runc spec"
	mkdir "$T/lock"
	jq --arg lock "$T/lock" '
		def host($from; $to): {source: $from, destination: $to, type: "bind", options: ["rbind", "ro"]};
		.process.terminal = false
		| .process.args = ["/usr/bin/podjoule-agent", "run", "--duration=2s", "--output=json",
			"--sysfs=/host/sys", "--procfs=/host/proc", "--cgroupfs=/host/sys/fs/cgroup"]
		| .process.noNewPrivileges = true
		| .process.capabilities = (["CAP_BPF", "CAP_PERFMON", "CAP_DAC_READ_SEARCH"]
			| {bounding: ., effective: ., permitted: .})
		| .root.readonly = true
		| .mounts += [host("/sys"; "/host/sys"), host("/proc"; "/host/proc"),
			{source: $lock, destination: "/run/podjoule", type: "bind", options: ["bind", "rw"]}]
		' "$T/config.json" >"$T/new" && mv "$T/new" "$T/config.json"
	runc --root "$T/runc" run --bundle "$T" "podjoule-$$" </dev/null >"$T/out" 2>"$T/err" ||
		fail "status $?: $(tail -5 "$T/err")"
	conserves "$T/out"
	[ ! -r /sys/kernel/btf/vmlinux ] || jq -e '.activity.source == "bpf"' "$T/out" >/dev/null ||
		fail "activity: $(jq -c .activity "$T/out"): $(cat "$T/err")"
}
