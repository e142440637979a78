#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The real agent on this node, from outside.
#
#   run.sh [FILE…]     all files of cases, or these ("containers", "input", …)
#
# A case is a function it_SENTENCE in a file case_*.sh; it fails by fail, skips by need or skip.
# Each runs in a shell of its own with a time limit.  AGENT names the binary, TOOLS the folder of the
# programs that cases are made with.  Lines "measured: …" of a case that passes are shown.
set -u -o pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
AGENT=${AGENT:-$root/build/podjoule-agent}
TOOLS=${TOOLS:-$root/build/tests}
SHORT_LIVED=${SHORT_LIVED:-$TOOLS/short_lived}
POD_CHURN=$TOOLS/pod_churn
PLANT=$TOOLS/plant
FAKE_APISERVER=${FAKE_APISERVER:-$TOOLS/fake_apiserver}
export AGENT TOOLS SHORT_LIVED POD_CHURN PLANT FAKE_APISERVER
limit_s=180

if [ "${1:-}" = --case ]; then
	T=$(mktemp -d)
	export T
	# shellcheck disable=SC1091
	. "$here/agent.sh"
	# shellcheck disable=SC1090
	. "$2"
	trap case_cleanup EXIT
	"$3"
	exit
fi

# A node has one agent.  In a mount namespace of our own /run is empty, so that an agent that
# already runs here neither meets ours nor is met by it.
if [ "$(id -u)" -eq 0 ] && [ -z "${PODJOULE_E2E_ALONE:-}" ] && unshare --mount true 2>/dev/null; then
	PODJOULE_E2E_ALONE=1 exec unshare --mount "$0" "$@"
fi
[ -z "${PODJOULE_E2E_ALONE:-}" ] || mount -t tmpfs -o mode=755 tmpfs /run || exit 2

if [ ! -x "$AGENT" ]; then
	echo "run.sh: no agent at '$AGENT'; run make first, or set AGENT" >&2
	exit 2
fi

passed=0
failed=0
skipped=0
log=$(mktemp)
trap 'rm -f "$log"' EXIT

run_case() {
	local file=$1 case=$2 name start status

	name=$(basename "$file" .sh)
	name="${name#case_}: $(echo "${case#it_}" | tr _ ' ')"
	start=$(date +%s%N)
	timeout -k 10 "$limit_s" "$0" --case "$file" "$case" >"$log" 2>&1
	status=$?
	start=$((($(date +%s%N) - start) / 1000000))
	case $status in
	0)
		passed=$((passed + 1))
		printf 'ok       %s (%d ms)\n' "$name" "$start"
		sed -n 's/^measured: /         /p' "$log"
		;;
	77)
		skipped=$((skipped + 1))
		printf 'skipped: %s: %s\n' "$(tail -1 "$log")" "$name"
		;;
	*)
		failed=$((failed + 1))
		[ "$status" -ne 124 ] || echo "still running after $limit_s s" >>"$log"
		printf 'NOT OK   %s (status %d)\n' "$name" "$status"
		sed 's/^/         /' "$log"
		;;
	esac
}

[ $# -gt 0 ] || set -- "$here"/case_*.sh
for file in "$@"; do
	name=$(basename "$file" .sh)
	file=$here/case_${name#case_}.sh
	[ -r "$file" ] || { echo "run.sh: no cases in '$file'" >&2; exit 2; }
	mapfile -t cases < <(sed -nE 's/^(it_[a-z0-9_]+)\(\) \{$/\1/p' "$file")
	for case in "${cases[@]}"; do
		run_case "$file" "$case"
	done
done
echo "suite e2e: $passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] && [ $((passed + skipped)) -gt 0 ]
