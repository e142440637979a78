# SPDX-License-Identifier: Apache-2.0
# Pods that come and go, and servers that want to know of all of them.
# shellcheck shell=bash disable=SC2154,SC2015,SC2034

# shellcheck disable=SC1091
. "$here/cluster.sh"

churn_s=${CHURN_SECONDS:-20}
churn_pods=${CHURN_PODS:-100}

thread_ns() {
	cut -d' ' -f1 "/proc/$agent_pid/task/$agent_pid/schedstat"
}

rss_anon_kb() {
	awk '$1 == "RssAnon:" { print $2 }' "/proc/$agent_pid/status"
}

# Every pod's time, as the kernel charged it, is its namespace's; every joule of the bucket too.
it_loses_no_joule_of_pods_that_come_and_go() {
	local before start used elapsed rss

	need root jq curl cgroups "$POD_CHURN" "$FAKE_APISERVER"
	api_start
	watch_start
	before=$(thread_ns)
	start=$(date +%s%N)
	group_make /kubepods/burstable
	"$POD_CHURN" "$api" "$node" "$(hierarchy_dir)/kubepods/burstable" "$churn_pods" 20 "$churn_s" >"$T/truth" ||
		fail "pod_churn"
	used=$(($(thread_ns) - before))
	elapsed=$(($(date +%s%N) - start))
	rss=$(rss_anon_kb)
	snapshot "$T/snapshot"
	conserves "$T/snapshot"
	groups_hold_all "$T/snapshot"
	jq -r --rawfile truth "$T/truth" '
		([.namespaces[] | {key: .namespace, value: .cpu_seconds}] | from_entries) as $got
		| [$truth | rtrimstr("\n") | split("\n")[] | split(" ") | {namespace: .[0], ns: (.[3] | tonumber)}]
		| group_by(.namespace)[] | {namespace: .[0].namespace, want: ([.[].ns] | add / 1e9)}
		| select((($got[.namespace] // 0) - .want | fabs) > 0.01 * .want + 0.01)
		| "\(.namespace): the kernel charged \(.want) s, booked \($got[.namespace])"' "$T/snapshot" >"$T/wrong" || fail "jq"
	[ ! -s "$T/wrong" ] || fail "$(cat "$T/wrong")"
	echo "measured: $(wc -l <"$T/truth") pods of three containers in $((elapsed / 1000000000)) s:" \
		"naming took $((used / (elapsed / 10000)))/100 % of a CPU, RssAnon $rss kB"
	[ "$rss" -lt 16384 ] || fail "RssAnon is $rss kB"
	# Aim: 1 %.  A busy machine may not fail this; three times that is no noise.
	[ "$((used * 33))" -lt "$elapsed" ] || fail "naming took $used ns of $elapsed"
}

# prometheus_at INTERVAL: a server of its own; $prometheus is its address.
prometheus_at() {
	local port dir=$T/prometheus-$1

	port=$(free_port)
	mkdir "$dir"
	cat >"$dir/prometheus.yml" <<-EOF_CONFIG
		global: {scrape_interval: $1, scrape_timeout: $1}
		scrape_configs:
		- job_name: agent
		  static_configs: [{targets: ["${url#http://}"]}]
	EOF_CONFIG
	prometheus --config.file="$dir/prometheus.yml" --storage.tsdb.path="$dir/tsdb" \
		--web.listen-address="127.0.0.1:$port" --log.level=warn >"$dir/log" 2>&1 &
	prometheus=http://127.0.0.1:$port
	wait_for 20 curl -sf -o /dev/null "$prometheus/-/ready" || fail "prometheus: $(cat "$dir/log")"
}

# asked SERVER PROMQL: the value of the one result, or nothing.
asked() {
	curl -sf --data-urlencode "query=$2" "$1/api/v1/query" | jq -r '.data.result[0].value[1] // empty'
}

it_shows_the_last_value_of_a_dead_container_to_two_servers() {
	local quick slow uid id last seen

	need root jq curl cgroups perl prometheus "$SHORT_LIVED" "$FAKE_APISERVER"
	api_start
	watch_start --publish=200ms
	prometheus_at 1s
	quick=$prometheus
	prometheus_at 5s
	slow=$prometheus
	# Both have come twice.
	sleep 14
	uid=$(random_uuid)
	id=$(burn_briefly "/kubepods/burstable/pod$uid")
	api_put "$(pod_json shop web-0 "$uid" "$(with_container main "$id")")"
	sleep 14
	last=$(metric "podjoule_container_joules_total\{.*container_id=\"$id\",.*\}")
	positive "$last" "last value"
	for server in "$quick" "$slow"; do
		seen=$(asked "$server" "max_over_time(podjoule_container_joules_total{container_id=\"$id\"}[1m])")
		[ "$seen" = "$last" ] || awk -v a="$seen" -v b="$last" 'BEGIN { exit !(a - b < 1e-9 && b - a < 1e-9) }' ||
			fail "$server saw '$seen', the last value is $last"
		seen=$(asked "$server" 'increase(podjoule_namespace_joules_total{namespace="shop"}[1m])')
		positive "$seen" "increase of the namespace of a pod that lived for 5 ms, in $server"
	done
}
