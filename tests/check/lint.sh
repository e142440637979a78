#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The rules that are code.  lint.sh style: form and layers, seconds.  lint.sh full: the analysers too.
set -u
cd "$(dirname "$0")/../.." || exit 2
export BUILD=${BUILD:-build}
passed=0 failed=0 skipped=0

rule() {
	local name=$1 tool=$2
	shift 2
	if ! command -v "$tool" >/dev/null; then
		echo "[SKIP] $name: skipped: $tool"
		skipped=$((skipped + 1))
	elif "$@"; then
		echo "[PASS] $name"
		passed=$((passed + 1))
	else
		echo "[FAIL] $name"
		failed=$((failed + 1))
	fi
}

sources() {
	git ls-files --cached --others --exclude-standard '*.c' '*.h' | grep -v '^vmlinux.h$'
}

formatted() {
	sources | xargs clang-format --dry-run -Werror
}

# shellcheck disable=SC2016
tidy() {
	git ls-files 'agent/*.c' 'agent/*/*.c' | sort -u |
		xargs -P 2 -n 6 sh -c 'clang-tidy --quiet "$@" -- -std=gnu17 -D_GNU_SOURCE -I. \
			-Iagent -I"$BUILD" 2>/dev/null' sh
}

cppcheck_all() {
	cppcheck --quiet --error-exitcode=1 --std=c11 --enable=warning,portability \
		--inline-suppr --suppressions-list=tests/check/cppcheck.txt \
		-D_GNU_SOURCE -DPODJOULE_VERSION='""' -I. -Iagent agent
}

shell_scripts() {
	git ls-files '*.sh' .ci/run | xargs shellcheck -x -e SC1091,SC2154,SC2317
}

rule style bash tests/check/style.sh
rule layers ld tests/check/layers.sh
rule format clang-format formatted
if [ "${1:-full}" = full ]; then
	rule clang-tidy clang-tidy tidy
	rule cppcheck cppcheck cppcheck_all
	rule shellcheck shellcheck shell_scripts
fi
echo "suite ${SUITE:-lint}: $passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
