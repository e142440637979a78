# SPDX-License-Identifier: Apache-2.0
# What --duration prints.
# shellcheck shell=bash disable=SC2154,SC2015,SC2034

it_prints_json_that_conserves_energy_and_time() {
	need jq
	agent --duration=2s -o json
	[ "$status" -eq 0 ] || fail "status $status: $(cat "$T/err")"
	conserves "$T/out"
	jq -e '(.end | length > 0) and (.start < .end) and .cpus == '"$(nproc --all)" "$T/out" >/dev/null ||
		fail "start, end and cpus: $(jq -c '{start, end, cpus}' "$T/out")"
}

it_runs_for_as_long_as_it_was_told() {
	local start=$EPOCHREALTIME

	agent --duration=500ms -o json
	[ "$status" -eq 0 ] || fail "status $status: $(cat "$T/err")"
	awk -v a="$start" -v b="$EPOCHREALTIME" 'BEGIN { exit !(b - a >= 0.5 && b - a < 3) }' ||
		fail "took from $start to $EPOCHREALTIME"
}

it_keeps_standard_output_for_the_result() {
	agent --duration=500ms -o csv
	[ "$status" -eq 0 ] || fail "status $status: $(cat "$T/err")"
	! grep -nE '^(<[0-7]>)?(info|warning|error|podjoule-agent):? ' "$T/out" >&2 ||
		fail "a log line on standard output"
	awk -F, 'NR == 1 { columns = NF } NF != columns { exit 1 } END { exit NR < 2 }' "$T/out" ||
		fail "not a table of one width: $(head -3 "$T/out")"
}

it_prints_a_table_that_names_the_quality() {
	agent --duration=1s -o table
	[ "$status" -eq 0 ] || fail "status $status: $(cat "$T/err")"
	grep -qE 'measured|shared|modelled' "$T/out" || fail "no quality in: $(cat "$T/out")"
	grep -qw idle "$T/out" || fail "no bucket idle in: $(cat "$T/out")"
	! LC_ALL=C grep -n '[^[:print:][:space:]]' "$T/out" | grep -q $'\x1b' ||
		fail "escape sequences where there is no terminal"
}

it_reads_rapl_from_a_fixture_tree() {
	local sys=$root/tests/fixtures/intel-1s/sys

	need jq
	[ -d "$sys" ] || skip "tests/fixtures/intel-1s"
	agent --sysfs="$sys" --duration=2s -o json
	[ "$status" -eq 0 ] || fail "status $status: $(cat "$T/err")"
	conserves "$T/out"
	jq -e '[.sources[] | select(.zone == "package")]
		| length > 0 and all(.quality == "measured" and .source == "powercap")' "$T/out" >/dev/null ||
		fail "sources: $(jq -c .sources "$T/out")"
	jq -e '[.zones[].zone] | contains(["package"])' "$T/out" >/dev/null ||
		fail "zones: $(jq -c '[.zones[].zone]' "$T/out")"
	jq -e '[.sources[] | select(.zone == "platform" and .quality == "modelled")] == []
		or ([.containers[], .units[] | .joules | has("platform")] | any | not)' "$T/out" >/dev/null ||
		fail "workloads carry the modelled platform beside measured packages"
}

it_counts_energy_that_a_tree_gives_out() {
	local sys=$T/sys i

	need jq
	powercap_tree "$sys"
	{
		i=5000000
		while sleep 0.05; do
			i=$((i + 500000)) # 10 W
			echo "$i" >"$sys/class/powercap/intel-rapl:0/energy_uj"
		done
	} &
	agent --sysfs="$sys" --energy=powercap --duration=3s -o json
	[ "$status" -eq 0 ] || fail "status $status: $(cat "$T/err")"
	conserves "$T/out"
	jq -e '.zones[] | select(.zone == "package") | .joules > 15 and .joules < 40' "$T/out" >/dev/null ||
		fail "a tree of 10 W gave: $(jq -c '[.zones[] | {zone, joules}]' "$T/out")"
}

it_lists_what_the_node_offers() {
	need jq
	agent probe
	[ "$status" -eq 0 ] || fail "status $status: $(cat "$T/err")"
	grep -qE 'chosen' "$T/out" || fail "nothing chosen in: $(cat "$T/out")"
	agent probe -o json
	[ "$status" -eq 0 ] || fail "status $status: $(cat "$T/err")"
	jq -e '.version == 1 and (.tier | length > 0) and (.energy | length > 0)
		and ([.energy[], .activity[] | .state | IN("chosen", "usable", "absent", "broken")] | all)
		and ([.energy[], .activity[] | select(.state == "absent" or .state == "broken")
			| .why | length > 0] | all)
		and ([.activity[] | select(.state == "chosen")] | length == 1)
		and (.kernel.release | length > 0)' "$T/out" >/dev/null ||
		fail "probe: $(cat "$T/out")"
}
