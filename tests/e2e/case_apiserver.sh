# SPDX-License-Identifier: Apache-2.0
# The fake API server that other cases stand on answers as the real one does, byte by byte where
# that matters.
# shellcheck shell=bash disable=SC2154,SC2015,SC2034,SC1091

. "$here/apiserver.sh"

it_ends_an_expired_watch_with_a_frame_and_a_list_with_410() {
	need curl jq
	api_start
	config_map a
	old=$(rv)
	control POST expire >/dev/null
	ask GET "/api/v1/configmaps?watch=1&resourceVersion=$old&timeoutSeconds=30"
	is 200 '.type == "ERROR" and .object.code == 410 and .object.reason == "Expired"'
	jq -re .object.message "$T/body" | grep -qxE "too old resource version: $old \([0-9]+\)" ||
		fail "message: $(cat "$T/body")"
	[ "$(wc -l <"$T/body")" -eq 1 ] || fail "more than one frame"
	ask GET "/api/v1/configmaps?resourceVersion=$old&resourceVersionMatch=Exact"
	is 410 '.reason == "Expired"'
	ask GET /api/v1/configmaps
	is 200
	watch_to "$T/w" "/api/v1/configmaps?watch=1&resourceVersion=$(rv)&timeoutSeconds=30"
	config_map b
	wait_for 5 lines_are "$T/w" 1 && [ "$(frames "$T/w")" = "ADDED b" ] || fail "after it: $(cat "$T/w")"
	api_stop
}

it_answers_too_many_requests_and_unknown_paths_in_plain_text() {
	need curl jq
	api_start --token=right
	curl -s -o "$T/body" -D "$T/head" -H 'Authorization: Bearer wrong' "$api/version"
	has_header 'HTTP/1.1 401 .*'
	! grep -qiE '^(www-authenticate|x-kubernetes-pf)' "$T/head" || fail "401: $(cat "$T/head")"
	jq -e '.message == "Unauthorized" and .code == 401' "$T/body" >/dev/null || fail "$(cat "$T/body")"
	ask GET /api/v1/pods
	is 403 '.message | contains("User \"system:anonymous\" cannot list resource \"pods\"")'
	ask GET /version
	is 200
	api_stop
	api_start
	control POST fault '{"on":"list","do":"status","status":429,"count":1}' >/dev/null
	ask GET /api/v1/pods
	is 429
	has_header 'Content-Type: text/plain; charset=utf-8'
	has_header 'Retry-After: 1'
	[ "$(cat "$T/body")" = 'Too many requests, please try again later.' ] || fail "$(cat "$T/body")"
	ask GET /api/v1/pods
	is 200
	ask GET /apis/no.such.group/v1/things
	is 404
	has_header 'Content-Type: text/plain; charset=utf-8'
	[ "$(cat "$T/body")" = '404 page not found' ] || fail "$(cat "$T/body")"
	ask GET /api/v1/things
	is 404 '.reason == "NotFound" and .details == {}'
	api_stop
}

it_cuts_frames_at_the_ends_of_chunks() {
	local sizes

	need curl jq perl
	api_start
	seed_pods 20 node-a
	curl -s --raw -A test/1 "$api/api/v1/pods?watch=1&timeoutSeconds=1" >"$T/raw"
	sizes=$(perl -0777 -ne 'while (s/^([0-9A-Fa-f]+)\r\n//) {
		my $n = hex $1; my $chunk = substr($_, 0, $n, ""); s/^\r\n//;
		print $n, " ", $chunk =~ /\n\z/ ? "whole" : "cut", " ", $chunk =~ tr/\n//, "\n" }' "$T/raw")
	[ "$(head -1 <<<"$sizes" | cut -d' ' -f1,2)" = "2048 cut" ] || fail "first chunk: $sizes"
	awk '$3 > 1 { several = 1 } END { exit !several }' <<<"$sizes" || fail "one frame a chunk: $sizes"
	[ "$(tail -1 <<<"$sizes")" = "0 cut 0" ] || fail "no last chunk: $sizes"
	[ "$(awk '{ n += $3 } END { print n }' <<<"$sizes")" -eq 20 ] || fail "not 20 frames: $sizes"
	api_stop
}

it_ends_a_watch_at_its_deadline_and_breaks_it_off_when_it_dies() {
	local signal status start

	need curl jq
	api_start
	start=$(date +%s%N)
	# Two requests on one connection: the first is a watch that ends.
	curl -s -v -A test/1 "$api/api/v1/pods?watch=1&timeoutSeconds=2" "$api/version" >"$T/out" 2>"$T/verbose" ||
		fail "no clean end: $(cat "$T/verbose")"
	start=$((($(date +%s%N) - start) / 1000000))
	[ "$start" -ge 2000 ] && [ "$start" -lt 2900 ] || fail "2 s took $start ms"
	grep -q 'Re-using existing connection' "$T/verbose" || fail "the connection is lost: $(cat "$T/verbose")"
	for signal in TERM KILL; do
		[ "$signal" = TERM ] || api_start
		curl -s -N "$api/api/v1/pods?watch=1" >/dev/null &
		watch_pid=$!
		wait_for 5 watches_are 1 || fail "no watch"
		kill "-$signal" "$api_pid"
		wait "$api_pid" 2>/dev/null
		status=0
		wait "$watch_pid" || status=$?
		# Partial file, or nothing received: no proper end in any case.
		[ "$status" -eq 18 ] || [ "$status" -eq 56 ] || fail "SIG$signal: curl ends with $status"
	done
}

it_writes_lists_of_builtins_and_of_custom_resources_differently() {
	need curl jq
	api_start
	config_map a
	ask GET /api/v1/namespaces/default/configmaps
	is 200 '(.items[0] | has("kind") or has("apiVersion") | not) and .items[0].metadata.name == "a"'
	grep -q '^{"kind":"ConfigMapList","apiVersion":"v1","metadata":{"resourceVersion":"[0-9]*"},"items":\[{"metadata":' \
		"$T/body" || fail "$(cat "$T/body")"
	ask POST "$SCORES" '{"apiVersion":"cluster.open-cluster-management.io/v1alpha1","kind":"AddOnPlacementScore","metadata":{"name":"s"}}'
	is 201
	ask GET "$SCORES"
	is 200 '.items[0].kind == "AddOnPlacementScore"'
	jq -c 'keys_unsorted, (.items[0] | keys_unsorted), (.items[0].metadata | keys_unsorted)' "$T/body" >"$T/keys"
	jq -e '. == sort' "$T/keys" >/dev/null || fail "not by alphabet: $(cat "$T/keys")"
	[ "$(head -1 "$T/keys")" = '["apiVersion","items","kind","metadata"]' ] || fail "$(cat "$T/keys")"
	has_header 'Content-Type: application/json'
	curl -s -H 'Audit-ID: mine' -D "$T/head" -o "$T/body" "$api/api/v1/configmaps"
	has_header 'Audit-Id: mine'
	[ "$(wc -l <"$T/body")" -gt 5 ] || fail "not indented for curl: $(cat "$T/body")"
	api_stop
}

it_lists_version_zero_from_a_cache_that_knows_no_limit() {
	need curl jq
	api_start
	seed_pods 5 node-a
	ask GET '/api/v1/pods?limit=2&resourceVersion=0'
	is 200 '.items | length == 5'
	cached=$(rv)
	config_map a
	ask GET '/api/v1/pods?resourceVersion=0'
	[ "$(rv)" = "$cached" ] || fail "version 0 tells of another resource"
	ask GET '/api/v1/pods?limit=2'
	is 200 '(.items | length) == 2 and .metadata.remainingItemCount == 3'
	[ "$(rv)" -gt "$cached" ] || fail "without a version it is the newest"
	ask GET '/api/v1/pods?resourceVersion=99999999'
	is 504 '.details.causes[0].reason == "ResourceVersionTooLarge"'
	has_header 'Retry-After: 1'
	ask GET '/api/v1/pods?resourceVersion=abc'
	is 500
	api_stop
}

it_turns_pages_of_one_moment() {
	local first token

	need curl jq
	api_start
	seed_pods 5 node-a
	ask GET '/api/v1/pods?limit=2'
	first=$(rv)
	token=$(jq -r .metadata.continue "$T/body")
	ask DELETE /api/v1/namespaces/default/pods/p003 '{"gracePeriodSeconds":0}'
	is 200
	config_map later
	ask GET "/api/v1/pods?limit=2&continue=$token"
	is 200 '[.items[].metadata.name] == ["p002", "p003"]'
	[ "$(rv)" = "$first" ] || fail "a page of another moment"
	token=$(jq -r .metadata.continue "$T/body")
	control POST expire >/dev/null
	ask GET "/api/v1/pods?limit=2&continue=$token"
	is 410 '.reason == "Expired"'
	token=$(jq -r .metadata.continue "$T/body")
	ask GET "/api/v1/pods?limit=2&continue=$token"
	is 200 '[.items[].metadata.name] == ["p004"] and (.metadata | has("continue") | not)'
	api_stop
}

it_makes_nothing_of_a_patch_that_changes_nothing() {
	local before

	need curl jq
	api_start
	config_map a
	watch_to "$T/w" "/api/v1/configmaps?watch=1&resourceVersion=$(rv)&timeoutSeconds=20"
	ask PATCH /api/v1/namespaces/default/configmaps/a '{"data":{"a":"c"}}' "$MERGE"
	is 200 '.data.a == "c"'
	before=$(rv)
	ask PATCH /api/v1/namespaces/default/configmaps/a '{"data":{"a":"c"}}' "$MERGE"
	is 200
	[ "$(rv)" = "$before" ] || fail "$before became $(rv)"
	ask PATCH /api/v1/namespaces/default/configmaps/a '{"data":{"a":"d"}}' "$MERGE"
	wait_for 5 lines_are "$T/w" 2
	sleep 0.2
	[ "$(frames "$T/w")" = $'MODIFIED a\nMODIFIED a' ] || fail "$(cat "$T/w")"
	ask PUT /api/v1/namespaces/default/configmaps/a \
		'{"metadata":{"name":"a","resourceVersion":"'"$before"'"},"data":{}}'
	is 409 '.reason == "Conflict"'
	api_stop
}

it_drops_a_status_that_comes_the_wrong_way() {
	local object='"apiVersion":"cluster.open-cluster-management.io/v1alpha1","kind":"AddOnPlacementScore"'
	local status='"status":{"scores":[{"name":"energy","value":42}]}'

	need curl jq
	api_start
	ask POST "$SCORES" "{$object,\"metadata\":{\"name\":\"s\"},$status}"
	is 201 '(has("status") | not) and .metadata.generation == 1'
	! grep -qi '^warning:' "$T/head" || fail "it warns"
	before=$(rv)
	ask PATCH "$SCORES/s" "{$status}" "$MERGE"
	is 200 'has("status") | not'
	[ "$(rv)" = "$before" ] || fail "it made a version"
	ask PATCH "$SCORES/s/status" "{\"metadata\":{\"labels\":{\"a\":\"b\"}},$status}" "$MERGE"
	is 200 '.status.scores[0].value == 42 and (.metadata | has("labels") | not) and .metadata.generation == 1'
	ask PATCH "$SCORES/absent/status" "{$status}" "$MERGE"
	is 404 '.message == "addonplacementscores.cluster.open-cluster-management.io \"absent\" not found"'
	api_stop
}

# scores_give CODE JQ SCORES: what a status with these scores is answered.
scores_give() {
	ask PATCH "$SCORES/s/status" "{\"status\":{\"scores\":$3}}" "$MERGE"
	is "$1" "$2"
}

it_refuses_what_the_real_one_refuses_with_the_same_code() {
	local object='"apiVersion":"cluster.open-cluster-management.io/v1alpha1","kind":"AddOnPlacementScore"'

	need curl jq
	api_start
	ask POST "$SCORES" "{$object,\"metadata\":{\"name\":\"s\"}}"
	scores_give 200 '.status.scores == [{"name":"a","value":3},{"name":"b","value":10}]' \
		'[{"name":"a","value":3.0},{"name":"b","value":1e1}]'
	for bad in 101 -101 3.5 '"7"'; do
		scores_give 422 '.details.causes[0].field == "status.scores[1].value"' \
			"[{\"name\":\"a\",\"value\":1},{\"name\":\"b\",\"value\":$bad}]"
	done
	scores_give 422 '.details.causes[0].reason == "FieldValueDuplicate"' \
		'[{"name":"a","value":1},{"name":"a","value":2}]'
	scores_give 422 '.details.causes[0].reason == "FieldValueRequired"' '[{"name":"a"}]'
	ask PATCH "$SCORES/s/status" '{"status":{"validUntil":"tomorrow"}}' "$MERGE"
	is 422
	ask GET "$SCORES/s"
	is 200 '.status == {"scores":[{"name":"a","value":3},{"name":"b","value":10}]}'
	scores_give 200 '.status.scores[0] == {"name":"a","value":1}' '[{"name":"a","value":1,"unit":"J"}]'
	has_header 'Warning: 299 - "unknown field \\"status.scores\[0\].unit\\""'
	ask PATCH "$SCORES/s/status" '{"status":{"scores":[{"name":"b","value":-7}]},'"$object"'}' application/apply-patch+yaml
	is 422 '.message | contains("fieldManager")'
	ask PATCH "$SCORES/s/status?fieldManager=t&force=true" '{"status":{"scores":[{"name":"b","value":-7}]},'"$object"'}' \
		application/apply-patch+yaml
	is 200 '.status.scores == [{"name":"a","value":1},{"name":"b","value":-7}]'
	ask PUT "$SCORES/s/status" "{$object,\"metadata\":{\"name\":\"s\"},\"status\":{}}"
	is 422 '.message | contains("must be specified for an update")'
	ask POST /api/v1/namespaces/default/configmaps '{bad json'
	is 400
	ask POST /api/v1/namespaces/default/configmaps '{"metadata":{"name":"a","resourceVersion":"1"}}'
	is 500 '.message == "resourceVersion should not be set on objects to be created"'
	ask POST /api/v1/namespaces/default/configmaps '{"metadata":{"name":"Bad_Name"}}'
	is 422
	ask POST /api/v1/namespaces/nons/configmaps '{"metadata":{"name":"a"}}'
	is 404 '.message == "namespaces \"nons\" not found"'
	config_map a
	ask POST /api/v1/namespaces/default/configmaps '{"metadata":{"name":"a"}}'
	is 409 '.reason == "AlreadyExists"'
	ask GET '/api/v1/pods?fieldSelector=spec.bogus%3Dx'
	is 400 '.message == "field label not supported: spec.bogus"'
	ask POST /apis/coordination.k8s.io/v1/namespaces/default/leases '{"metadata":{"name":"l"},"spec":{"renewTime":"2026-01-01T00:00:04Z"}}'
	is 400
	api_stop
}

it_shows_a_pod_when_it_is_bound_and_its_end_in_two_steps() {
	local pods=/api/v1/namespaces/default/pods

	need curl jq
	api_start
	watch_to "$T/w" '/api/v1/pods?watch=1&fieldSelector=spec.nodeName=node-a&timeoutSeconds=20'
	ask POST "$pods" '{"metadata":{"name":"p1","uid":"given"},"spec":{"containers":[{"name":"c","image":"i"}]},"status":{"phase":"Running"}}'
	is 201 '.status.phase == "Pending" and .status.qosClass == "BestEffort" and .metadata.uid == "given"'
	ask POST "$pods/p1/binding" '{"target":{"name":"node-a"}}'
	is 201 '.status == "Success"'
	ask POST "$pods/p1/binding" '{"target":{"name":"node-b"}}'
	is 409 '.details.kind == "pods/binding"'
	ask PATCH "$pods/p1/status" '{"status":{"phase":"Running"}}' "$MERGE"
	ask DELETE "$pods/p1" '{"gracePeriodSeconds":5}'
	is 200 '.metadata.deletionGracePeriodSeconds == 5'
	ask DELETE "$pods/p1" '{"gracePeriodSeconds":0}'
	is 200
	wait_for 5 lines_are "$T/w" 5 || fail "$(cat "$T/w")"
	[ "$(jq -r .type "$T/w" | xargs)" = "ADDED MODIFIED MODIFIED MODIFIED DELETED" ] || fail "$(cat "$T/w")"
	jq -s -e '.[0].object.spec.nodeName == "node-a" and .[0].object.kind == "Pod" and
		(.[4].object.metadata.resourceVersion | tonumber) ==
		(.[3].object.metadata.resourceVersion | tonumber) + 1' "$T/w" >/dev/null || fail "$(cat "$T/w")"
	api_stop
}

it_tells_who_leaves_a_selection_as_deleted() {
	local map=/api/v1/namespaces/default/configmaps

	need curl jq
	api_start
	ask POST "$map" '{"metadata":{"name":"a","labels":{"vendor":"x"}}}'
	watch_to "$T/w" '/api/v1/configmaps?watch=1&labelSelector=vendor+in+(x,y),!old&timeoutSeconds=20'
	ask PATCH "$map/a" '{"metadata":{"labels":{"vendor":"z"}}}' "$MERGE"
	left=$(rv)
	ask PATCH "$map/a" '{"metadata":{"labels":{"vendor":"y"}}}' "$MERGE"
	ask PATCH "$map/a" '{"metadata":{"labels":{"old":"1"}}}' "$MERGE"
	wait_for 5 lines_are "$T/w" 4 || fail "$(cat "$T/w")"
	[ "$(jq -r '"\(.type) \(.object.metadata.labels.vendor)"' "$T/w" | xargs)" = \
		"ADDED x DELETED x ADDED y DELETED y" ] || fail "$(cat "$T/w")"
	[ "$(jq -rs '.[1].object.metadata.resourceVersion' "$T/w")" = "$left" ] || fail "not the new version"
	ask GET '/api/v1/configmaps?labelSelector=vendor!=z'
	is 200 '.items | length == 1'
	ask GET '/api/v1/configmaps?labelSelector=vendor'
	is 200 '.items | length == 1'
	ask GET '/api/v1/configmaps?labelSelector=vendor%3Dy,old%3D2'
	is 200 '.items | length == 0'
	api_stop
}

it_bookmarks_only_for_who_asks() {
	need curl jq
	api_start --bookmark-interval=300ms
	seed_pods 1 node-a
	curl -s -A test/1 "$api/api/v1/pods?watch=1&allowWatchBookmarks=true&timeoutSeconds=1&resourceVersion=1" >"$T/with" &
	curl -s -A test/1 "$api/api/v1/pods?watch=1&timeoutSeconds=1&resourceVersion=1" >"$T/without"
	wait "$!"
	grep -c BOOKMARK "$T/with" | grep -qx '[23]' || fail "$(cat "$T/with")"
	! grep -q BOOKMARK "$T/without" || fail "$(cat "$T/without")"
	jq -s -e '.[-1].object | .kind == "Pod" and .metadata.creationTimestamp == null and
		(.metadata.resourceVersion | tonumber) > 1' "$T/with" >/dev/null || fail "$(cat "$T/with")"
	api_stop
	api_start
	curl -s -A test/1 "$api/api/v1/pods?watch=1&allowWatchBookmarks=true&timeoutSeconds=3" >"$T/with"
	grep -c BOOKMARK "$T/with" | grep -qx 1 || fail "none before the deadline: $(cat "$T/with")"
	api_stop
}
