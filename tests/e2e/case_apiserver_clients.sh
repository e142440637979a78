# SPDX-License-Identifier: Apache-2.0
# The fake API server does wrong when it is told to, bears a storm, and serves real clients.
# shellcheck shell=bash disable=SC2154,SC2015,SC2034,SC1091

. "$here/apiserver.sh"

# watch_under FAULT: the frames that come through are in $T/w, $status is how curl ends.
watch_under() {
	control POST fault "$1" >/dev/null
	status=0
	curl -s -N -m 3 -A test/1 "$api/api/v1/pods?watch=1&allowWatchBookmarks=true&timeoutSeconds=2" >"$T/w" || status=$?
	control DELETE fault >/dev/null
}

it_does_wrong_to_a_watch_what_it_is_told() {
	need curl jq
	api_start --bookmark-interval=500ms
	seed_pods 4 node-a
	watch_under '{"on":"watch","do":"close","after_events":2}'
	[ "$status" -eq 18 ] && lines_are "$T/w" 2 && ! lines_are "$T/w" 3 || fail "close: $status $(cat "$T/w")"
	watch_under '{"on":"watch","do":"truncate","after_events":2}'
	[ "$status" -eq 0 ] && [ "$(wc -l <"$T/w")" -eq 2 ] && ! jq . "$T/w" >/dev/null 2>&1 ||
		fail "truncate: $status $(cat "$T/w")"
	watch_under '{"on":"watch","do":"hang","after_events":2}'
	[ "$status" -eq 28 ] && [ "$(wc -l <"$T/w")" -eq 2 ] || fail "hang: $status $(cat "$T/w")"
	watch_under '{"on":"watch","do":"garble","after_events":1}'
	[ "$status" -eq 0 ] && sed -n 1p "$T/w" | jq . >/dev/null && ! sed -n 2p "$T/w" | jq . >/dev/null 2>&1 &&
		sed -n 3p "$T/w" | jq . >/dev/null || fail "garble: $status $(cat "$T/w")"
	watch_under '{"on":"watch","do":"expire","after_events":1}'
	[ "$status" -eq 0 ] && [ "$(jq -r .type "$T/w" | xargs)" = "ADDED ERROR" ] || fail "expire: $(cat "$T/w")"
	watch_under '{"on":"watch","do":"duplicate"}'
	[ "$(frames "$T/w" | grep -c ADDED)" -eq 8 ] || fail "duplicate: $(cat "$T/w")"
	watch_under '{"on":"watch","do":"reorder"}'
	[ "$(frames "$T/w" | sed -n '/ADDED/p' | xargs)" = "ADDED p000 ADDED p003 ADDED p002 ADDED p001" ] ||
		fail "reorder: $(cat "$T/w")"
	watch_under '{"on":"watch","do":"drop_bookmarks"}'
	! grep -q BOOKMARK "$T/w" && lines_are "$T/w" 4 || fail "drop_bookmarks: $(cat "$T/w")"
	watch_under '{"on":"watch","do":"slow","bytes":50,"delay_ms":100}'
	[ "$(wc -c <"$T/w")" -gt 100 ] && [ "$(wc -c <"$T/w")" -lt 2000 ] || fail "slow: $(wc -c <"$T/w") bytes"
	watch_under '{"on":"watch","do":"status","status":403}'
	jq -e '.code == 403 and (.message | contains("cannot watch"))' "$T/w" >/dev/null || fail "status: $(cat "$T/w")"
	watch_under '{"on":"list","do":"close"}'
	[ "$status" -eq 0 ] && lines_are "$T/w" 4 || fail "a fault of lists strikes a watch: $(cat "$T/w")"
	api_stop
}

it_strikes_a_watch_that_is_open_already() {
	need curl jq
	api_start
	seed_pods 1 node-a
	watch_to "$T/w" '/api/v1/pods?watch=1&timeoutSeconds=20'
	control POST fault '{"on":"watch","do":"close","count":1}' >/dev/null
	status=0
	wait "$watch_pid" || status=$?
	[ "$status" -eq 18 ] || fail "curl ends with $status"
	watch_to "$T/w" '/api/v1/pods?watch=1&timeoutSeconds=20'
	sleep 0.3
	kill -0 "$watch_pid" || fail "the fault was to strike once"
	control POST expire '{"close":true}' >/dev/null
	status=0
	wait "$watch_pid" || status=$?
	[ "$status" -eq 18 ] || fail "after a restart curl ends with $status"
	api_stop
}

it_does_wrong_to_a_list_what_it_is_told() {
	need curl jq
	api_start
	seed_pods 20 node-a
	for action in close truncate garble expire hang slow; do
		control POST fault '{"on":"list","do":"'$action'","count":1,"delay_ms":50,"bytes":2000}' >/dev/null
		start=$(date +%s%N)
		status=0
		code=$(curl -s -m 2 -A test/1 -o "$T/body" -w '%{http_code}' "$api/api/v1/pods") || status=$?
		start=$((($(date +%s%N) - start) / 1000000))
		case $action:$status:$code in
		close:18:200) [ "$(wc -c <"$T/body")" -eq 2000 ] ;;
		truncate:0:200 | garble:0:200) ! jq . "$T/body" >/dev/null 2>&1 ;;
		expire:0:410 | hang:28:000) true ;;
		slow:0:200) jq . "$T/body" >/dev/null && [ "$start" -gt 300 ] ;;
		*) false ;;
		esac || fail "$action: curl $status, HTTP $code, $start ms: $(cat "$T/body")"
		ask GET /api/v1/pods
		is 200 '.items | length == 20'
	done
	control POST fault '{"on":"write","do":"status","status":503,"retry_after":7,"path":"/configmaps"}' >/dev/null
	ask POST /api/v1/namespaces/default/configmaps '{"metadata":{"name":"a"}}'
	is 503
	has_header 'Retry-After: 7'
	[ "$(curl -s -o /dev/null -w '%{http_code}' -X POST --data-raw '{"on":"list","do":"reorder"}' "$api/fake/fault")" = 400 ] ||
		fail "takes a fault that cannot be"
	api_stop
}

it_remembers_what_it_was_asked() {
	need curl jq
	api_start --token=t
	curl -s -A agent/7 -H 'Authorization: Bearer t' -o /dev/null "$api/api/v1/pods?resourceVersion=0"
	control GET requests | jq -e '.requests[-1] | .method == "GET" and .status == 200 and .authorization and
		.uri == "/api/v1/pods?resourceVersion=0" and .user_agent == "agent/7" and .time_ms > 1e12' >/dev/null ||
		fail "$(control GET requests)"
	control DELETE requests >/dev/null
	[ "$(control GET requests | jq '.requests | length')" -eq 0 ] || fail "it forgets nothing"
	api_stop
}

it_makes_five_thousand_events_a_second() {
	local start

	need curl jq
	api_start
	seed_pods 50 node-a
	watch_to "$T/w" '/api/v1/pods?watch=1&fieldSelector=spec.nodeName=node-a&resourceVersion=1&timeoutSeconds=30'
	start=$(date +%s%N)
	control POST storm '{"events_per_second":5000,"seconds":3,"node":"node-a","pods":250}' >/dev/null
	# 50 and 200 pods that are made, and 15000 changes.
	wait_for 10 lines_are "$T/w" 15250 || fail "$(wc -l <"$T/w") events; $(control GET state)"
	start=$((($(date +%s%N) - start) / 1000000))
	[ "$start" -gt 2500 ] || fail "15000 events in $start ms"
	[ "$(wc -l <"$T/w")" -eq 15250 ] || fail "$(wc -l <"$T/w") events"
	jq -rs 'map(.object.metadata.resourceVersion | tonumber) | . == (sort | unique)' "$T/w" | grep -qx true ||
		fail "versions do not rise"
	control GET state | jq -e '.storm == {"running": false, "events": 15000} and .objects.pods == 250' >/dev/null ||
		fail "$(control GET state)"
	curl -s --compressed -D "$T/head" "$api/api/v1/pods" | jq -e '.items | length == 250' >/dev/null || fail "no list"
	has_header 'Content-Encoding: gzip'
	api_stop
}

it_lets_in_who_has_the_token_of_this_moment_over_tls() {
	local ca
	need curl jq openssl
	openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1 \
		-keyout "$T/key.pem" -out "$T/cert.pem" 2>/dev/null || fail "no certificate"
	echo first >"$T/token"
	api_start --tls-cert="$T/cert.pem" --tls-key="$T/key.pem" --token-file="$T/token"
	ca=(--cacert "$T/cert.pem")
	[ "${api%%:*}" = https ] || fail "URL: $api"
	[ "$(curl -s "${ca[@]}" -o /dev/null -w '%{http_code}' -H 'Authorization: Bearer first' "$api/api/v1/pods")" = 200 ] ||
		fail "the token is refused"
	echo second >"$T/token"
	[ "$(curl -s "${ca[@]}" -o /dev/null -w '%{http_code}' -H 'Authorization: Bearer first' "$api/api/v1/pods")" = 401 ] ||
		fail "the old token is taken"
	[ "$(curl -s "${ca[@]}" -o /dev/null -w '%{http_code}' -H 'Authorization: Bearer second' "$api/api/v1/pods")" = 200 ] ||
		fail "the new token is refused"
	curl -s "${ca[@]}" -H 'Authorization: Bearer second' "$api/api/v1/namespaces?watch=1&timeoutSeconds=1" |
		jq -s -e 'length == 4' >/dev/null || fail "no watch over TLS"
	! curl -s -o /dev/null "$api/version" || fail "the certificate is not checked"
	if command -v kubectl >/dev/null; then
		HOME=$T kubectl --server="$api" --certificate-authority="$T/cert.pem" --token=second get pods -A >"$T/out" 2>&1 ||
			fail "kubectl: $(cat "$T/out")"
		! HOME=$T kubectl --server="$api" --certificate-authority="$T/cert.pem" --token=first get pods -A \
			>"$T/out" 2>&1 || fail "kubectl gets in with an old token"
	fi
	api_stop
}

kube() {
	HOME=$T KUBECONFIG=$T/none kubectl --server="$api" "$@" >"$T/out" 2>&1 || fail "kubectl $*: $(cat "$T/out")"
}

it_serves_kubectl() {
	need curl jq kubectl
	api_start
	kube get pods -A
	(HOME=$T KUBECONFIG=$T/none exec kubectl --server="$api" get pods -w --output-watch-events >"$T/watched" 2>&1) &
	wait_for 10 watches_are 1 || fail "no watch: $(cat "$T/watched")"
	printf '%s' '{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p1"},"spec":{"nodeName":"n","containers":[{"name":"c","image":"i"}]}}' \
		>"$T/pod.json"
	kube create --validate=false -f "$T/pod.json"
	kube patch pod p1 --subresource=status --type=merge -p '{"status":{"phase":"Running"}}'
	kube get pod p1 -o 'jsonpath={.status.phase}'
	[ "$(cat "$T/out")" = Running ] || fail "status: $(cat "$T/out")"
	kube delete pod p1 --grace-period=0 --force
	ask GET /api/v1/namespaces/default/pods/p1
	is 404
	wait_for 5 grep -q DELETED "$T/watched" || fail "get -w: $(cat "$T/watched")"
	[ "$(awk '{ print $1 }' "$T/watched" | uniq | xargs)" = "EVENT ADDED MODIFIED DELETED" ] || fail "get -w: $(cat "$T/watched")"
	for value in b c c; do
		printf '%s' '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"m"},"data":{"a":"'$value'"}}' >"$T/map.json"
		kube apply -f "$T/map.json"
		cat "$T/out" >>"$T/applied"
	done
	[ "$(sed 's|.* ||' "$T/applied" | xargs)" = "created configured unchanged" ] || fail "apply: $(cat "$T/applied")"
	kube apply --server-side --force-conflicts -f "$T/map.json"
	kube get configmap m -o 'jsonpath={.data.a}'
	[ "$(cat "$T/out")" = c ] || fail "apply: $(cat "$T/out")"
	printf '%s' '{"apiVersion":"cluster.open-cluster-management.io/v1","kind":"ManagedCluster","metadata":{"name":"edge"},"spec":{}}' \
		>"$T/cluster.json"
	kube create -f "$T/cluster.json"
	kube get managedclusters edge -o 'jsonpath={.spec.leaseDurationSeconds}'
	[ "$(cat "$T/out")" = 60 ] || fail "defaults: $(cat "$T/out")"
	kube delete configmap m
	kube api-resources
	grep -q manifestworks "$T/out" || fail "api-resources: $(cat "$T/out")"
	api_stop
}

it_serves_the_informer_of_the_npm_client() {
	need curl jq node npm
	[ "$(node -p 'process.versions.node.split(".")[0]')" -ge 20 ] || skip npm
	HOME=$T timeout 120 npm install --silent --no-audit --no-fund --prefix "$T/npm" '@kubernetes/client-node@^1' \
		>"$T/npm.log" 2>&1 || skip npm
	api_start
	seed_pods 300 node-a
	cp "$here/client_node.mjs" "$T/npm/"
	NODE_PATH=$T/npm/node_modules timeout 60 node "$T/npm/client_node.mjs" "$api" >"$T/out" 2>&1 ||
		fail "client-node: $(cat "$T/out")"
	grep -qx 'listed 300, added 1, changed 1, deleted 1, recovered' "$T/out" || fail "$(cat "$T/out")"
	api_stop
}
