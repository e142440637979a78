#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# An image from scratch: the agent, the libraries that ldd names with their loader, the licences.
#
#   image.sh [AGENT [ARCHIVE]]     an OCI archive by buildah; prints its compressed size
#   image.sh --root AGENT DIR      only the root file system, into a new folder
#
# Nothing is pulled: Debian cannot link curl and GnuTLS statically, but it can name what they need.
set -eu -o pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/.." && pwd)

# Everything that the program needs to start, by the paths where its loader looks.
libraries_of() {
	ldd "$1" | awk '$2 == "=>" && $3 ~ /^\// { print $3 } $1 ~ /^\// { print $1 }'
}

make_root() {
	local agent=$1 dir=$2 library

	install -D -m 0755 "$agent" "$dir/usr/bin/podjoule-agent"
	install -D -m 0644 "$root/LICENSE" "$dir/usr/share/doc/podjoule/LICENSE"
	install -D -m 0644 "$root/bpf/LICENSE" "$dir/usr/share/doc/podjoule/LICENSE.bpf"
	libraries_of "$agent" | while read -r library; do
		install -D -m 0755 "$library" "$dir$library"
	done
	# Mount points: of the host's trees, and of the folder with the node's lock.
	mkdir -p "$dir/host/sys" "$dir/host/proc" "$dir/run/podjoule" "$dir/proc" "$dir/sys" "$dir/dev"
}

# The agent must start with what is in there and nothing else.
check_root() {
	[ "$(id -u)" -ne 0 ] || chroot "$1" /usr/bin/podjoule-agent --version
}

need_buildah() {
	command -v buildah >/dev/null || {
		echo "image.sh: no buildah; install it (apt-get install buildah), or use --root" >&2
		exit 1
	}
}

make_image() {
	local dir=$1 archive=$2 container

	container=$(buildah from scratch)
	# shellcheck disable=SC2064
	trap "buildah rm '$container' >/dev/null; rm -rf '$scratch'" EXIT
	buildah copy -q "$container" "$dir/" / >/dev/null
	buildah config --user 0:0 --port 9713 \
		--entrypoint '["/usr/bin/podjoule-agent"]' --cmd 'run --listen=0.0.0.0:9713' \
		--label org.opencontainers.image.title=podjoule-agent \
		--label org.opencontainers.image.licenses='Apache-2.0 AND (GPL-2.0-only OR BSD-2-Clause)' \
		"$container"
	rm -f "$archive"
	buildah commit -q --format oci --disable-compression=false "$container" "oci-archive:$archive:podjoule-agent" >/dev/null
}

if [ "${1:-}" = --root ]; then
	make_root "$2" "$3"
	check_root "$3"
	exit
fi

agent=${1:-$root/build/podjoule-agent}
archive=${2:-$root/build/podjoule-agent.oci.tar}
[ -x "$agent" ] || { echo "image.sh: no agent at '$agent'; run make first" >&2; exit 1; }
need_buildah
# No overlay and no daemon are needed for one copy; a store of our own leaves the user's alone.
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export STORAGE_DRIVER=vfs BUILDAH_ISOLATION=chroot
cat >"$scratch/storage.conf" <<EOF_STORAGE
[storage]
driver = "vfs"
graphroot = "$scratch/graph"
runroot = "$scratch/run"
EOF_STORAGE
export CONTAINERS_STORAGE_CONF=$scratch/storage.conf

make_root "$agent" "$scratch/root"
check_root "$scratch/root"
make_image "$scratch/root" "$archive"
echo "$archive: $(stat -c %s "$archive" | awk '{ printf "%.1f MB compressed", $1 / 1e6 }'), $(
	find "$scratch/root" -type f | wc -l) files"
