#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Replay every corpus with gcc's sanitizers: replay.sh DIR FUZZER…
set -u
cd "$(dirname "$0")" || exit 2
bin=$1
case $bin in /*) ;; *) bin=$OLDPWD/$bin ;; esac
shift
passed=0 failed=0
for fuzzer; do
	if "$bin/replay_$fuzzer" "corpus/$fuzzer"; then
		echo "[PASS] $fuzzer: $(find "corpus/$fuzzer" -type f | wc -l) inputs"
		passed=$((passed + 1))
	else
		echo "[FAIL] $fuzzer: see above"
		failed=$((failed + 1))
	fi
done
echo "suite fuzz-replay: $passed passed, $failed failed, 0 skipped"
[ "$failed" -eq 0 ]
