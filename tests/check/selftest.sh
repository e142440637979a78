#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Every rule has a bad sample that it must catch, at the right line, and a good one that it must
# let pass.  A check that cannot fail proves nothing.
set -u

here=$(cd "$(dirname "$0")" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
passed=0
failed=0
apache='/* SPDX-License-Identifier: Apache-2.0 */'

result() {
	local ok=$1 sentence=$2

	if [ "$ok" -eq 0 ]; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "not ok - $sentence"
		sed 's/^/    /' "$scratch/out"
	fi
}

# A fresh small tree that breaks no rule.
fresh() {
	rm -rf "$scratch/tree"
	mkdir -p "$scratch/tree"/{agent/platform,agent/energy,agent/account,agent/expose,bpf}
	cd "$scratch/tree" || exit 2
	printf '%s\nvoid leaf(void);\n' "$apache" >agent/platform/leaf.h
	printf '%s\n#include "platform/leaf.h"\nint meter(void);\n' "$apache" >agent/account/meter.h
	printf '%s\n#include <stdio.h>\n#include "account/meter.h"\n' "$apache" >agent/expose/page.c
	printf '%s\nstruct config;\n' "$apache" >agent/config.h
}

# expect RULE-CHECK FILE:LINE SENTENCE: the check must name exactly this place.
expect() {
	local check=$1 place=$2 sentence=$3

	if "$here/$check" . >"$scratch/out" 2>&1; then
		echo "(no finding)" >>"$scratch/out"
		result 1 "$check: $sentence"
	else
		grep -qE "^(\./)?$place: .+; .+" "$scratch/out"
		result $? "$check: $sentence"
	fi
}

expect_clean() {
	local check=$1 sentence=$2

	"$here/$check" . >"$scratch/out" 2>&1
	result $? "$check: $sentence"
}

# bad FILE LINE-TEXT SENTENCE: one bad second line in an otherwise good file.
bad() {
	fresh
	mkdir -p "$(dirname "$1")"
	printf '%s\n%b\n' "${4:-$apache}" "$2" >"$1"
	expect style.sh "$1:2" "$3"
}

style_rules() {
	local call

	fresh
	expect_clean style.sh 'lets a good tree pass'
	for call in 'strtok(s, ",")' 'sscanf(s, "%d", &i)' 'atoi(s)' 'strcpy(a, b)' 'strcat(a, b)' \
		'sprintf(a, "x")' 'gets(a)' 'strtol(s, 0, 10)' 'strtoull(s, 0, 10)' 'strtod(s, 0)'; do
		bad agent/energy/x.c "\tx = $call;" "catches $call"
	done
	bad agent/energy/x.c '\texit(1);' 'catches exit outside main'
	bad agent/energy/x.c '\tgoto out;' 'catches a jump'
	bad agent/energy/x.c "\t/* TO""DO: later */" 'catches work left for later'
	bad README.md 'FIX''ME' 'catches it in documents too'
	bad agent/energy/x.c '\tint x; ' 'catches white space at the end of a line'
	bad deploy/x.yaml 'path: /ho''me/somebody/x' 'catches a path of a home'
	bad deploy/x.yaml "path: $scratch/other/x" 'catches a path next to this checkout'

	fresh
	printf '%s\nsnprintf(a, n, "x"); _exit(0); fgets(a, n, f); /* not atoi() */\n * sscanf(x)\n' \
		"$apache" >agent/energy/x.c
	printf '%s\nx = strtoull(s, 0, 10);\n' "$apache" >agent/platform/parse.c
	printf '%s\nexit(1);\n' "$apache" >agent/main.c
	expect_clean style.sh 'lets the safe relatives, comments, parse.c and main.c pass'
}

style_files() {
	local n

	fresh
	echo 'int x;' >agent/energy/x.c
	expect style.sh 'agent/energy/x.c:1' 'catches a file without a licence'
	fresh
	printf '#!/bin/sh\necho\n' >x.sh
	expect style.sh 'x.sh:2' 'catches a script without a licence'
	fresh
	printf '%s\n' "$apache" >bpf/x.bpf.c
	expect style.sh 'bpf/x.bpf.c:1' 'catches a BPF file that is Apache-2.0 alone'
	fresh
	printf '%s\n' '/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */' >agent/x.c
	expect style.sh 'agent/x.c:1' 'catches a user space file under the BPF licence'
	for n in util.c helpers.h common.c misc.sh; do
		fresh
		printf '%s\n' "$apache" >"agent/$n"
		expect style.sh "agent/$n:1" "catches the name $n"
	done
	fresh
	{ echo "$apache"; yes 'int x;' | head -500; } >agent/x.c
	expect style.sh 'agent/x.c:500' 'catches a file of 501 lines'
	fresh
	{ printf '%s\nint f(void)\n{\n' "$apache"; yes '	x();' | head -61; echo '}'; } >agent/x.c
	expect style.sh 'agent/x.c:3' 'catches a function of 61 lines'
	fresh
	printf '%s\nint x;' "$apache" >agent/x.c
	expect style.sh 'agent/x.c:2' 'catches a last line without its end'
	command -v git >/dev/null && {
		fresh
		git init -q . && printf 'build/\n' >.gitignore
		mkdir build && echo 'int x;' >build/generated.c
		expect_clean style.sh 'leaves alone what git ignores'
		echo 'int x;' >agent/x.c
		expect style.sh agent/x.c:1 'looks at what git does not know yet'
	}
	mkdir "$scratch/empty" && cd "$scratch/empty" && "$here/style.sh" . >"$scratch/out" 2>&1
	[ $? -eq 2 ]
	result $? 'style.sh: refuses an empty tree instead of calling it clean'
}

# bad_include FILE HEADER SENTENCE
bad_include() {
	fresh
	printf '%s\n#include <stdio.h>\n#include "%s"\n' "$apache" "$2" >"$1"
	expect layers.sh "$1:3" "$3"
}

layer_includes() {
	fresh
	expect_clean layers.sh 'lets includes that go down pass'
	bad_include agent/platform/x.c account/meter.h 'catches a leaf that includes a room'
	bad_include agent/energy/x.c account/meter.h 'catches energy that includes account'
	bad_include agent/account/x.c config.h 'catches a room that includes the wiring'
	fresh
	printf '%s\n#  include "account/meter.h"\n' "$apache" >agent/energy/x.h
	expect layers.sh agent/energy/x.h:2 'catches it in headers, however it is spaced'
	fresh
	mkdir agent/activity
	printf '%s\n' "$apache" | tee agent/energy/energy.h >agent/energy/powercap.h
	printf '%s\n#include "energy/energy.h"\n' "$apache" >agent/activity/x.c
	expect_clean layers.sh 'lets activity include energy.h, where probe_list is'
	printf '#include "energy/powercap.h"\n' >>agent/activity/x.c
	expect layers.sh agent/activity/x.c:3 'catches activity that includes more of energy'
	fresh
	mkdir agent/lounge
	printf '%s\n' "$apache" >agent/lounge/x.c
	expect layers.sh agent/lounge/x.c:1 'catches a room that nobody has placed'
}

layer_symbols() {
	local cc=${CC:-cc}

	command -v "$cc" >/dev/null || return
	fresh
	mkdir -p build/agent/platform build/agent/account
	echo 'void other(void); void leaf(void) { other(); }' >leaf.c
	echo 'void other(void) { }' >other.c
	echo 'void meter(void) { }' >meter.c
	"$cc" -c leaf.c -o build/agent/platform/leaf.o
	"$cc" -c other.c -o build/agent/platform/other.o
	"$cc" -c meter.c -o build/agent/account/meter.o
	"$here/layers.sh" . build >"$scratch/out" 2>&1
	result $? 'layers.sh: lets leaves that call leaves pass'
	mv build/agent/platform/other.o build/agent/account/other.o
	! "$here/layers.sh" . build >"$scratch/out" 2>&1 &&
		grep -q "account/other.o:1: .*'other'" "$scratch/out"
	result $? 'layers.sh: catches a leaf that calls a room, and names the symbol'
	rm build/agent/platform/leaf.o
	! "$here/layers.sh" . build >"$scratch/out" 2>&1
	result $? 'layers.sh: catches that there is no leaf to link'
}

# tally COMMAND LAST-LINE STATUS SENTENCE: what it says last, and whether it calls that a success.
tally() {
	local want=$1 status=$2 sentence=$3 got
	shift 3

	"$here/tally.sh" "$@" >"$scratch/out" 2>&1
	got=$?
	[ "$(tail -1 "$scratch/out")" = "$want" ] && [ $((got != 0)) -eq "$status" ]
	result $? "tally.sh: $sentence"
}

tallies() {
	local log=$scratch/log closing

	closing='[\e[0;34m====\e[0m] \e[0;1mSynthesis: Tested: \e[0;34m7\e[0;1m | Passing: \e[0;32m5\e[0;1m | Failing: \e[0;31m1\e[0;1m | Crashing: \e[0;31m1\e[0;1m'
	printf '%b\n' '[SKIP] a::b: no root' "$closing\e[0m" >"$log"
	tally 'suite unit: 5 passed, 2 failed, 1 skipped' 1 "reads Criterion's colours" parse unit "$log"
	closing='[====] Synthesis: Tested: 7 | Passing: 7 | Failing: 0 | Crashing: 0'
	tally 'suite unit: 7 passed, 0 failed, 0 skipped' 0 'runs what passes' run unit echo "$closing"
	tally 'suite unit: 7 passed, 1 failed, 0 skipped' 1 'trusts the exit status over the text' \
		run unit sh -c "echo '$closing'; exit 1"
	tally 'suite all: 3 passed, 0 failed, 1 skipped' 0 "counts a script's own suites once" \
		run all echo 'suite own: 3 passed, 0 failed, 1 skipped'
	[ "$(grep -c '^suite ' "$scratch/out")" -eq 1 ]
	result $? "tally.sh: says one suite line a run"
	tally 'suite unit: 0 passed, 0 failed, 0 skipped' 1 'calls a silent suite a failure' \
		run unit true
	printf 'suite a: 3 passed, 0 failed, 1 skipped\nsuite b: 2 passed, 0 failed, 0 skipped\n' >"$log"
	tally '5 passed, 0 failed, 1 skipped' 0 'sums' sum "$log"
	printf 'suite a: 1 passed, 2 failed, 0 skipped\nsuite a: 3 passed, 0 failed, 0 skipped\n' >>"$log"
	tally '3 passed, 2 failed, 0 skipped' 1 'counts a suite that ran twice once, by the worse' \
		sum "$log"
	: >"$log"
	tally '0 passed, 0 failed, 0 skipped' 1 'calls an empty log a failure' sum "$log"
}

style_rules
style_files
layer_includes
layer_symbols
tallies
echo "suite checks: $passed passed, $failed failed, 0 skipped"
[ "$failed" -eq 0 ]
