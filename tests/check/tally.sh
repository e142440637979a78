#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# One line a suite, one line for all: "suite NAME: N passed, N failed, N skipped".
#
#   tally.sh run NAME COMMAND…   run it, show what it prints, end with its suite line
#   tally.sh parse NAME LOG      the suite line of a log (Criterion's, or a script's own)
#   tally.sh sum LOG             "N passed, N failed, N skipped" over the suites of a log
#
# Fails when anything failed, and when nothing ran: a suite that vanished is not a green one.
set -u

plain() {
	sed -E 's/\x1b\[[0-9;]*[A-Za-z]//g; s/\r$//' "$@"
}

# Prints "PASSED FAILED SKIPPED".  Criterion says nothing of skipped tests in its closing line; a
# crash in a fixture's .fini shows in the exit status alone.
count() {
	local log=$1 status=$2

	plain "$log" | awk -v status="$status" '
	/^\[====\] Synthesis: / {
		gsub(/[^0-9 ]/, " ")
		passed += $2; failed += $3 + $4
	}
	/^\[SKIP\] / { skipped++ }
	/^suite [^ ]+: [0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$/ {
		passed += $3; failed += $5; skipped += $7
	}
	END {
		if (status != 0 && failed == 0)
			failed = 1
		print passed + 0, failed + 0, skipped + 0
	}'
}

# A suite that runs twice counts once, by the worse of the two.
sum() {
	plain "$1" | awk '
	/^suite [^ ]+: [0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$/ {
		if (($2 in failed) && failed[$2] >= $5)
			next
		passed[$2] = $3; failed[$2] = $5; skipped[$2] = $7
	}
	END {
		for (name in failed) {
			p += passed[name]; f += failed[name]; s += skipped[name]
		}
		print p + 0, f + 0, s + 0
	}'
}

verdict() {
	local passed=$1 failed=$2 skipped=$3 prefix=${4:-}

	echo "$prefix$passed passed, $failed failed, $skipped skipped"
	[ "$failed" -eq 0 ] && [ $((passed + skipped)) -gt 0 ]
}

case ${1:-} in
run)
	name=$2
	shift 2
	log=$(mktemp)
	trap 'rm -f "$log"' EXIT
	# A script's own suite line is counted, and said once: below.
	"$@" 2>&1 | tee "$log" | grep --line-buffered -vE '^suite [^ ]+: [0-9]+ passed, '
	status=${PIPESTATUS[0]}
	read -r p f s < <(count "$log" "$status")
	verdict "$p" "$f" "$s" "suite $name: "
	;;
parse)
	read -r p f s < <(count "$3" 0)
	verdict "$p" "$f" "$s" "suite $2: "
	;;
sum)
	read -r p f s < <(sum "$2")
	verdict "$p" "$f" "$s"
	;;
*)
	echo "usage: tally.sh run NAME COMMAND… | parse NAME LOG | sum LOG" >&2
	exit 2
	;;
esac
