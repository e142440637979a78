#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Fuzz each target for a while: fuzz.sh BUILD SECONDS FUZZER…  New inputs stay in BUILD/fuzz-corpus,
# findings in BUILD/fuzz-findings; what is worth keeping is minimised into corpus/ by hand.
set -u
build=$1 seconds=$2
shift 2
passed=0 failed=0
mkdir -p "$build/fuzz-findings"
for fuzzer; do
	mkdir -p "$build/fuzz-corpus/$fuzzer"
	if "$build/tests/fuzz_$fuzzer" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 \
		-print_final_stats=0 -verbosity=0 -artifact_prefix="$build/fuzz-findings/$fuzzer-" \
		"$build/fuzz-corpus/$fuzzer" "tests/fuzz/corpus/$fuzzer"; then
		echo "[PASS] $fuzzer: $seconds s without a finding"
		passed=$((passed + 1))
	else
		echo "[FAIL] $fuzzer: see $build/fuzz-findings"
		failed=$((failed + 1))
	fi
done
echo "suite fuzz: $passed passed, $failed failed, 0 skipped"
[ "$failed" -eq 0 ]
