# SPDX-License-Identifier: Apache-2.0
# Real containers by runc, in cgroups of the caller's choice.
# shellcheck shell=bash disable=SC2154,SC2015,SC2034

# bundle DIR CGROUP SCRIPT: an OCI bundle whose one process is a shell.
bundle() {
	mkdir -p "$1/rootfs/bin"
	cp "$(command -v busybox)" "$1/rootfs/bin/busybox"
	ln -sf busybox "$1/rootfs/bin/sh"
	rm -f "$1/config.json"
	(cd "$1" && runc spec) || fail "runc spec"
	jq --arg group "$2" --arg script "$3" '
		.process.terminal = false
		| .process.args = ["/bin/busybox", "sh", "-c", $script]
		| .root.readonly = true
		| .linux.cgroupsPath = $group' "$1/config.json" >"$1/new" && mv "$1/new" "$1/config.json"
}

runc_() {
	runc --root "$T/runc" "$@"
}

is_stopped() {
	[ "$(runc_ state "$1" | jq -r .status)" = stopped ]
}
