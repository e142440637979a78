# SPDX-License-Identifier: Apache-2.0
# How the daemon lives with its node: lock, signals, privileges.
# shellcheck shell=bash disable=SC2154,SC2015,SC2034

it_stops_cleanly_on_both_signals() {
	local signal

	need curl
	for signal in TERM INT; do
		agent_start
		agent_stop "$signal"
		[ "$status" -eq 0 ] || fail "status $status on $signal"
	done
}

it_refuses_a_second_agent_and_names_the_first() {
	local first

	need curl
	agent_start
	first=$agent_pid
	status=0
	(exec_shipped timeout 10 "$AGENT" --listen=127.0.0.1:0) >"$T/out" 2>"$T/err" || status=$?
	[ "$status" -eq 1 ] || fail "status $status: $(cat "$T/err")"
	grep -qE "\b$first\b" "$T/err" || fail "does not name pid $first: $(cat "$T/err")"
	curl -sf "$url/healthz" >/dev/null || fail "the first one no longer answers"
}

it_leaves_no_stale_lock_when_it_is_killed() {
	need curl
	agent_start
	agent_stop KILL
	[ "$status" -eq 137 ] || fail "status $status"
	agent_start
	agent_stop
	[ "$status" -eq 0 ] || fail "status $status after a kill"
}

it_ends_by_itself_when_asked_for_a_duration_with_a_page() {
	need curl
	agent_start --duration=3s
	curl -sf "$url/metrics" >/dev/null || fail "no page while it runs"
	status=0
	wait "$agent_pid" || status=$?
	agent_pid=
	[ "$status" -eq 0 ] || fail "status $status: $(tail -3 "$T/agent.log")"
}

it_runs_bpf_with_three_capabilities() {
	need root curl jq
	[ -r /sys/kernel/btf/vmlinux ] || skip "BTF"
	agent_start
	[ "$(awk '/^CapEff/ { print $2 }' "/proc/$agent_pid/status")" = 000000c000000004 ] ||
		fail "runs with $(grep CapEff "/proc/$agent_pid/status")"
	snapshot "$T/snapshot"
	jq -e '.activity.source == "bpf"' "$T/snapshot" >/dev/null ||
		fail "activity: $(jq -c .activity "$T/snapshot")"
	conserves "$T/snapshot"
}

it_degrades_without_capabilities_and_says_so_once() {
	need root curl jq
	CAPABILITIES=-all agent_start
	snapshot "$T/snapshot"
	conserves "$T/snapshot" 0.02
	jq -e '.activity.source == "cgroup" or .activity.source == "proc"' "$T/snapshot" >/dev/null ||
		fail "activity: $(jq -c .activity "$T/snapshot")"
	[ "$(grep -ciE 'bpf.*(CAP_BPF|not permitted)' "$T/agent.log")" -eq 1 ] || fail "does not say so once"
	curl -sf "$url/metrics" | grep -q '^podjoule_activity_info{source="cgroup"' || fail "not in the metrics"
}

# Collects what is sent to a notify socket, one datagram a line, until it is ended.
listen_for_notices() {
	perl -MSocket -e '
		$| = 1;
		socket(S, AF_UNIX, SOCK_DGRAM, 0) && bind(S, pack_sockaddr_un($ARGV[0])) or die;
		while (defined(recv(S, $text, 4096, 0))) { $text =~ s/\n/ /g; print "$text\n" }
	' "$1"
}

it_tells_systemd_when_it_is_ready_and_when_it_stops() {
	need curl perl
	listen_for_notices "$T/notify" >"$T/notices" 2>&1 &
	wait_for 5 test -S "$T/notify" || fail "no socket: $(cat "$T/notices")"
	chmod 777 "$T" "$T/notify"
	export NOTIFY_SOCKET=$T/notify WATCHDOG_USEC=1000000
	agent_start
	sleep 2
	agent_stop
	grep -q 'READY=1' "$T/notices" || fail "not READY: $(cat "$T/notices")"
	grep -q 'STATUS=' "$T/notices" || fail "no STATUS: $(cat "$T/notices")"
	[ "$(grep -c 'WATCHDOG=1' "$T/notices")" -ge 2 ] || fail "no WATCHDOG: $(cat "$T/notices")"
	tail -1 "$T/notices" | grep -q 'STOPPING=1' || fail "not STOPPING: $(cat "$T/notices")"
}
