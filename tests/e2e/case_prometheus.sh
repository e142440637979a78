# SPDX-License-Identifier: Apache-2.0
# A real Prometheus scrapes the real agent.
# shellcheck shell=bash disable=SC2154,SC2015,SC2034

# Prometheus asks for OpenMetrics on its own; for the older text it scrapes a page that asks for it.
text_page() {
	mkdir -p "$T/www/cgi-bin"
	cat >"$T/www/cgi-bin/metrics" <<-EOF_PAGE
		#!/bin/sh
		printf 'Content-Type: text/plain; version=0.0.4\r\n\r\n'
		exec curl -s --compressed -H 'Accept: text/plain;version=0.0.4' $url/metrics
	EOF_PAGE
	chmod +x "$T/www/cgi-bin/metrics"
	busybox httpd -f -p "127.0.0.1:$1" -h "$T/www" &
}

prometheus_start() {
	local text=$1

	cat >"$T/prometheus.yml" <<-EOF_CONFIG
		global: {scrape_interval: 1s, scrape_timeout: 1s}
		scrape_configs:
		- job_name: openmetrics
		  static_configs: [{targets: ["${url#http://}"]}]
		- job_name: text
		  metrics_path: /cgi-bin/metrics
		  static_configs: [{targets: ["127.0.0.1:$text"]}]
	EOF_CONFIG
	prometheus --config.file="$T/prometheus.yml" --storage.tsdb.path="$T/tsdb" \
		--web.listen-address="127.0.0.1:$2" --log.level=warn >"$T/prometheus.log" 2>&1 &
	prometheus=http://127.0.0.1:$2
	wait_for 20 curl -sf -o /dev/null "$prometheus/-/ready" || fail "prometheus: $(cat "$T/prometheus.log")"
}

# query PROMQL: "LABELS VALUE" a line.
query() {
	curl -sf --data-urlencode "query=$1" "$prometheus/api/v1/query" |
		jq -r '.data.result[] | "\(.metric | tojson) \(.value[1])"'
}

# holds PROMQL: the expression has a result, so it is true of something.
holds() {
	[ -n "$(query "$1")" ]
}

it_is_scraped_for_twenty_seconds_in_both_formats() {
	local job

	need curl jq perl prometheus busybox
	agent_start
	text_port=$(free_port)
	text_page "$text_port"
	prometheus_start "$text_port" "$(free_port)"
	sleep 20
	for job in openmetrics text; do
		holds "up{job=\"$job\"} == 1" || fail "$job is down: $(query up) $(cat "$T/prometheus.log")"
		holds "min_over_time(up{job=\"$job\"}[15s]) == 1" || fail "$job was down: $(query 'up[30s]')"
		holds "count_over_time(up{job=\"$job\"}[20s]) >= 15" || fail "$job missed scrapes"
		holds "scrape_samples_scraped{job=\"$job\"} > 20" || fail "$job has hardly any samples"
		# Each is one scrape, so the sums are exact but for how a double adds.
		holds "abs(sum by (zone, device) (podjoule_bucket_joules_total{job=\"$job\"})
			/ on (zone, device) podjoule_node_joules_total{job=\"$job\"} - 1) < 1e-9" ||
			fail "$job: buckets do not sum to the node"
		holds "sum(rate(podjoule_bucket_cpu_seconds_total{job=\"$job\"}[15s])) > $(nproc) * 0.9 <
			$(nproc) * 1.1" || fail "$job: CPU seconds pass at $(query \
			"sum by (bucket) (rate(podjoule_bucket_cpu_seconds_total{job=\"$job\"}[15s]))")"
	done
	! grep -iE 'error|warn' "$T/prometheus.log" || fail "prometheus complains"
}

it_passes_promtool_in_both_formats() {
	need curl promtool
	agent_start
	sleep 2.2
	curl -sf -H 'Accept: text/plain;version=0.0.4' -D "$T/head" "$url/metrics" >"$T/metrics" || fail "no /metrics"
	grep -qi '^content-type: text/plain; *version=0.0.4' "$T/head" || fail "type: $(cat "$T/head")"
	promtool check metrics <"$T/metrics" >"$T/promtool" 2>&1 || fail "promtool: $(cat "$T/promtool")"
	! grep -E ' (NaN|[-+]Inf|-[0-9])' "$T/metrics" || fail "no number that a joule can have"
	curl -sf -H 'Accept: application/openmetrics-text;version=1.0.0' -D "$T/head" "$url/metrics" \
		>"$T/openmetrics" || fail "no OpenMetrics"
	grep -qi '^content-type: application/openmetrics-text' "$T/head" || fail "type: $(cat "$T/head")"
	[ "$(tail -1 "$T/openmetrics")" = '# EOF' ] || fail "ends with $(tail -1 "$T/openmetrics")"
	curl -sf --compressed -H 'Accept-Encoding: gzip' -D "$T/head" "$url/metrics" | grep -q '^podjoule_' ||
		fail "gzip"
	grep -qi '^content-encoding: gzip' "$T/head" || fail "not gzipped: $(cat "$T/head")"
}

it_answers_what_is_not_there_as_a_problem() {
	need curl jq
	agent_start
	[ "$(curl -s -o "$T/body" -w '%{http_code} %{content_type}' "$url/nowhere")" = \
		'404 application/problem+json' ] && jq -e '.status == 404' "$T/body" >/dev/null ||
		fail "GET /nowhere: $(cat "$T/body")"
	[ "$(curl -s -o /dev/null -w '%{http_code}' -X DELETE "$url/metrics")" = 405 ] || fail "DELETE /metrics"
	[ "$(curl -s -o /dev/null -w '%{http_code}' "$url/healthz")" = 200 ] || fail "GET /healthz"
	[ "$(curl -s -o /dev/null -w '%{http_code}' -H "X: $(head -c 20000 /dev/zero | tr '\0' x)" \
		"$url/metrics")" -ge 400 ] || fail "20 kB of headers"
	curl -sf "$url/v1/snapshot" | jq -e '.version == 1' >/dev/null || fail "GET /v1/snapshot"
}

it_serves_others_while_a_client_is_slow() {
	need curl perl
	agent_start
	# Sixty clients that send half a request and then nothing.
	perl -MSocket -e '
		my ($port) = $ARGV[0] =~ /:(\d+)$/;
		for (1 .. 60) {
			socket(my $s, AF_INET, SOCK_STREAM, 0);
			connect($s, pack_sockaddr_in($port, INADDR_LOOPBACK)) or die;
			syswrite($s, "GET /metrics HTTP/1.1\r\nHost: x\r\n");
			push @held, $s;
		}
		print "held\n"; close STDOUT; sleep 30;' "$url" >"$T/held" &
	wait_for 5 grep -q held "$T/held" || fail "cannot hold 60 connections"
	curl -sf -m 2 "$url/metrics" >/dev/null || fail "no answer beside 60 slow clients"
	sleep 12
	curl -sf -m 2 "$url/metrics" >/dev/null || fail "no answer after their time limit"
	kill -0 "$agent_pid" || fail "the agent has gone"
}
