# SPDX-License-Identifier: Apache-2.0
# Bad input: one clear line and the contract's exit status, or a degraded tier that says so.
# shellcheck shell=bash disable=SC2154,SC2015,SC2034

# refuses STATUS WORD ARGS…: one line that names WORD, nothing on standard output.
refuses() {
	local want=$1 word=$2
	shift 2

	status=0
	(exec_shipped timeout 10 "$AGENT" "$@") >"$T/out" 2>"$T/err" || status=$?
	if [ "$status" -ne "$want" ]; then
		echo "$*: status $status, not $want: $(head -3 "$T/err")"
	elif [ "$(grep -c . "$T/err")" -ne 1 ]; then
		echo "$*: $(grep -c . "$T/err") lines instead of one: $(head -4 "$T/err")"
	elif ! grep -qF -- "$word" "$T/err"; then
		echo "$*: does not name '$word': $(cat "$T/err")"
	elif ! grep -qE '^podjoule-agent: .+; .+' "$T/err"; then
		echo "$*: not 'podjoule-agent: what is wrong; what to do': $(cat "$T/err")"
	elif [ -s "$T/out" ]; then
		echo "$*: prints on standard output: $(head -2 "$T/out")"
	fi
}

it_refuses_bad_usage_with_status_2_and_one_line() {
	local wrong

	wrong=$(
		refuses 2 --rate --rate=0
		refuses 2 --rate --rate=-1
		refuses 2 --rate --rate=1001
		refuses 2 --rate --rate=nan
		refuses 2 --rate --rate=fast
		refuses 2 --publish --publish=10ms
		refuses 2 --publish --publish=soon
		refuses 2 --duration --duration=-1s
		refuses 2 --duration --duration=
		refuses 2 --listen --listen=nowhere
		refuses 2 --listen --listen=127.0.0.1:99999
		refuses 2 --energy --energy=steam --duration=1s
		refuses 2 --activity --activity=guess --duration=1s
		refuses 2 --require --require=luck --duration=1s
		refuses 2 --max-cgroups --max-cgroups=0
		refuses 2 --log-level --log-level=loud
		refuses 2 --output --duration=1s --output=xml
		refuses 2 --nonsense --nonsense
		refuses 2 dance dance
		export PODJOULE_RATE=0
		refuses 2 PODJOULE_RATE --duration=1s
	)
	[ -z "$wrong" ] || fail "$wrong"
}

it_refuses_files_that_it_cannot_read() {
	local wrong

	wrong=$(
		refuses 2 /nonexistent --sysfs=/nonexistent --duration=1s
		refuses 2 /nonexistent --procfs=/nonexistent --duration=1s
		refuses 2 /nonexistent --cgroupfs=/nonexistent --duration=1s
		refuses 2 /nonexistent --btf=/nonexistent --duration=1s
	)
	[ -z "$wrong" ] || fail "$wrong"
}

it_counts_by_cgroup_files_when_the_btf_is_none() {
	need root jq
	agent --btf="$root/LICENSE" --duration=500ms -o json
	[ "$status" -eq 0 ] || fail "status $status: $(cat "$T/err")"
	jq -e '.activity.source != "bpf"' "$T/out" >/dev/null || fail "activity: $(jq -c .activity "$T/out")"
	[ "$(grep -c "$root/LICENSE" "$T/err")" -eq 1 ] && ! grep -qF '(null)' "$T/err" ||
		fail "does not say once which file is bad: $(cat "$T/err")"
}

it_prints_help_and_version_on_standard_output() {
	local flag

	for flag in --help --usage --version; do
		agent "$flag"
		[ "$status" -eq 0 ] && [ -s "$T/out" ] && [ ! -s "$T/err" ] ||
			fail "$flag: status $status: $(cat "$T/err")"
	done
	agent --help
	for flag in --listen --rate --publish --energy --activity --require --duration --output; do
		grep -q -- "$flag" "$T/out" || fail "--help does not tell of $flag"
	done
}

it_lets_a_flag_win_over_the_environment() {
	need jq
	PODJOULE_RATE=0 agent --rate=5 --duration=500ms -o json
	[ "$status" -eq 0 ] || fail "status $status: $(cat "$T/err")"
	PODJOULE_NODE_NAME=from-environment agent --duration=500ms -o json
	jq -e '.node == "from-environment"' "$T/out" >/dev/null || fail "node: $(jq -c .node "$T/out")"
	PODJOULE_NODE_NAME=from-environment agent --node-name=from-flag --duration=500ms -o json
	jq -e '.node == "from-flag"' "$T/out" >/dev/null || fail "node: $(jq -c .node "$T/out")"
}

it_refuses_a_requirement_that_is_not_met_with_status_3() {
	mkdir -p "$T/sys/class"
	status=0
	agent --sysfs="$T/sys" --require=measured --duration=1s -o json
	[ "$status" -eq 3 ] || fail "status $status: $(cat "$T/err")"
	grep -q measured "$T/err" || fail "does not say what is not met: $(cat "$T/err")"
	[ ! -s "$T/out" ] || fail "prints a result all the same"
}

it_says_in_one_line_that_the_port_is_in_use() {
	local port

	need perl
	perl -MSocket -e '$| = 1; socket(S, AF_INET, SOCK_STREAM, 0);
		bind(S, pack_sockaddr_in(0, INADDR_LOOPBACK)) && listen(S, 5) or die;
		print((unpack_sockaddr_in(getsockname(S)))[0], "\n"); sleep 60' >"$T/port" &
	wait_for 5 test -s "$T/port" || fail "no port"
	port=$(cat "$T/port")
	status=0
	(exec_shipped timeout 10 "$AGENT" --listen="127.0.0.1:$port" --duration=1s -o json) \
		>"$T/out" 2>"$T/err" || status=$?
	[ "$status" -eq 1 ] || fail "status $status: $(cat "$T/err")"
	[ "$(grep -c "127.0.0.1:$port" "$T/err")" -eq 1 ] || fail "not one line: $(cat "$T/err")"
	[ ! -s "$T/out" ] || fail "prints a result all the same"
}

# survives_a_tree NAME: run on a tree while it falls ill by the function sicken_NAME.
survives_a_tree() {
	local name=$1 sys=$T/sys-$1

	powercap_tree "$sys"
	(sleep 0.7 && "sicken_$name" "$sys/class/powercap/intel-rapl:0") &
	status=0
	(exec_shipped timeout 10 "$AGENT" --sysfs="$sys" --rate=10 --duration=2s -o json) \
		>"$T/out" 2>"$T/err" || status=$?
	[ "$status" -eq 0 ] || fail "$name: status $status: $(tail -3 "$T/err")"
	conserves "$T/out"
	jq -e '[.zones[] | .joules] | all(. >= 0 and . < 1e5)' "$T/out" >/dev/null ||
		fail "$name: $(jq -c '[.zones[] | {zone, joules}]' "$T/out")"
	[ "$(wc -l <"$T/err")" -lt 20 ] || fail "$name: $(wc -l <"$T/err") lines of log in 2 s"
}

sicken_garbage() { echo 'twelve' >"$1/energy_uj"; }
sicken_empty() { : >"$1/energy_uj"; }
sicken_negative() { echo -5 >"$1/energy_uj"; }
sicken_enormous() { echo 99999999999999999999999999 >"$1/energy_uj"; }
sicken_forward() { echo 200000000000 >"$1/energy_uj"; }
sicken_backward() { echo 4000000 >"$1/energy_uj"; }
sicken_vanish() { rm -r "$1"; }
sicken_directory() { rm "$1/energy_uj" && mkdir "$1/energy_uj"; }
sicken_range() { echo 0 >"$1/max_energy_range_uj" && echo 1 >"$1/energy_uj"; }

it_survives_energy_files_that_lie() {
	local name

	need jq
	for name in garbage empty negative enormous forward backward vanish directory range; do
		survives_a_tree "$name"
	done
}

it_starts_on_trees_that_are_broken_from_the_beginning() {
	local name sys

	need jq
	for name in garbage empty negative enormous directory range; do
		sys=$T/broken-$name
		powercap_tree "$sys"
		"sicken_$name" "$sys/class/powercap/intel-rapl:0"
		agent --sysfs="$sys" --duration=500ms -o json
		[ "$status" -eq 0 ] || fail "$name: status $status: $(cat "$T/err")"
		conserves "$T/out"
	done
}

it_says_that_energy_is_unreadable_and_goes_on() {
	local sys=$T/sys

	need root jq
	powercap_tree "$sys"
	chmod 0000 "$sys"/class/powercap/*/energy_uj
	chmod 755 "$T"
	# Without CAP_DAC_READ_SEARCH even uid 0 may not read what belongs to another.
	chown -R 65534 "$sys"
	CAPABILITIES=-all agent --sysfs="$sys" --duration=500ms -o json
	[ "$status" -eq 0 ] || fail "status $status: $(cat "$T/err")"
	conserves "$T/out"
	grep -qi 'energy_uj.*Permission denied' "$T/err" || fail "does not say so: $(cat "$T/err")"
}

it_prints_hostile_cgroup_names_as_they_can_be_printed() {
	local base name names

	need root jq curl cgroups promtool
	base=/podjoule-test-$$
	# A newline is what the kernel itself refuses.
	names=('two words' 'quo"te' "apos'trophe" 'back\slash' $'\xff\xfeinvalid' $'\xc3' 'a{b="c"} 1' $'tab\t')
	for name in "${names[@]}"; do
		group_make "$base/$name"
	done
	agent_start
	for name in "${names[@]}"; do
		burn_in "$base/$name" 0.1
	done
	snapshot "$T/snapshot"
	iconv -f UTF-8 -t UTF-8 "$T/snapshot" >/dev/null || fail "the snapshot is not UTF-8"
	conserves "$T/snapshot"
	[ "$(jq --arg base "$base/" '[.units[] | select(.cgroup | startswith($base)) | select(.cpu_seconds > 0.05)]
		| length' "$T/snapshot")" -eq ${#names[@]} ] ||
		fail "units: $(jq -c --arg base "$base" '[.units[] | select(.cgroup | startswith($base))]' "$T/snapshot")"
	curl -sf "$url/metrics" >"$T/metrics" || fail "no /metrics"
	iconv -f UTF-8 -t UTF-8 "$T/metrics" >/dev/null || fail "/metrics is not UTF-8"
	promtool check metrics <"$T/metrics" >"$T/promtool" 2>&1 || fail "promtool: $(cat "$T/promtool")"
}
