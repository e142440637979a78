# SPDX-License-Identifier: Apache-2.0
# What a newcomer types.
# shellcheck shell=bash disable=SC2154,SC2015,SC2034

it_shows_a_table_by_make_run() {
	need make root
	# Not a part of the make that runs this test: its job server and flags are not ours.
	env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL timeout 120 make --no-print-directory -C "$root" run \
		DURATION=3s </dev/null >"$T/out" 2>"$T/err" || fail "make run: $(tail -5 "$T/err")"
	grep -qE 'measured|shared|modelled' "$T/out" || fail "no quality in: $(cat "$T/out")"
	grep -qw idle "$T/out" || fail "no bucket idle in: $(cat "$T/out")"
}

it_tells_its_targets_by_make_help() {
	local target

	need make
	env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL make --no-print-directory -C "$root" help >"$T/out" ||
		fail "make help"
	for target in run test test-full bench lint install; do
		grep -qE "^ *$target\b" "$T/out" || fail "make help does not tell of $target"
	done
}

it_installs_where_it_is_told() {
	need make
	env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL make --no-print-directory -C "$root" install \
		DESTDIR="$T/dest" PREFIX=/usr >"$T/log" 2>&1 || fail "make install: $(tail -5 "$T/log")"
	[ -x "$T/dest/usr/bin/podjoule-agent" ] || fail "installed: $(cd "$T/dest" && find . -type f)"
	"$T/dest/usr/bin/podjoule-agent" --version >/dev/null || fail "what is installed does not run"
}
