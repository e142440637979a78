#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Nothing flows back: includes go from a room to the rooms below it, and leaves call only leaves.
#
#   layers.sh [ROOT]          check the includes of ROOT/agent
#   layers.sh ROOT BUILD      and link BUILD/**/platform/*.o by themselves
#
# Prints "FILE:LINE: what; what to do" for each finding and exits 1.
set -u

root=${1:-.}
build=${2:-}
findings=$(mktemp)
trap 'rm -f "$findings"' EXIT

# What each room may include.  A room that is not here has to be placed first.
rooms_below() {
	case $1 in
	platform) echo "platform" ;;
	energy) echo "energy platform" ;;
	activity) echo "activity energy/energy.h platform" ;; # energy.h for probe_list
	names) echo "names platform" ;;
	account) echo "account activity energy names platform" ;;
	expose) echo "expose account activity energy names platform" ;;
	wiring) echo "wiring expose account activity energy names platform" ;;
	esac
}

# "energy/energy.h" of a file in a room, "config.h" of the wiring, or nothing for headers that are
# not the agent's (system, libraries, bpf layouts, generated skeletons).
resolve() {
	local from=$1 name=$2

	if [ -e "$root/agent/$from/$name" ] && [ "$from" != wiring ]; then
		echo "$from/$name"
	elif [ -e "$root/agent/$name" ]; then
		case $name in
		*/*) echo "$name" ;;
		*) echo "wiring/$name" ;;
		esac
	fi
}

check_include() {
	local file=$1 line=$2 room=$3 header=$4 allowed

	for allowed in $(rooms_below "$room"); do
		case $header in
		"$allowed" | "$allowed"/*) return ;;
		esac
	done
	echo "$file:$line: $room includes '$header', which is not below it;" \
		"move what is needed down, or hand it in as an argument"
}

check_file() {
	local path=$1 inner room line name header

	inner=${path#"$root"/agent/}
	case $inner in
	*/*) room=${inner%%/*} ;;
	*) room=wiring ;;
	esac
	if [ -z "$(rooms_below "$room")" ]; then
		echo "$path:1: room '$room' has no place in the order; add it to rooms_below() in $0"
		return
	fi
	while IFS=: read -r line name; do
		header=$(resolve "$room" "$name")
		[ -z "$header" ] || check_include "$path" "$line" "$room" "$header"
	done < <(sed -nE '/^[ \t]*#[ \t]*include[ \t]*"/{
		s/^[^"]*"([^"]*)".*/\1/
		=
		p
	}' "$path" | paste -d: - -)
}

# A leaf would make sense in another program: what it leaves undefined is nobody's in the agent.
check_leaves() {
	local scratch symbol object
	local -a leaves others

	mapfile -t leaves < <(find "$build" -path '*/platform/*.o' | sort)
	mapfile -t others < <(find "$build" -path '*/agent/*.o' ! -path '*/platform/*' | sort)
	if [ ${#leaves[@]} -eq 0 ]; then
		echo "$build:1: no platform/*.o to link; build the agent first"
		return
	fi
	[ ${#others[@]} -gt 0 ] || return
	scratch=$(mktemp -d)
	if ! ld -r -o "$scratch/leaves.o" "${leaves[@]}" 2>"$scratch/ld"; then
		echo "$build:1: ld -r of the leaves failed: $(head -1 "$scratch/ld")"
	fi
	nm -u "$scratch/leaves.o" 2>/dev/null | awk '{ print $NF }' | sort -u >"$scratch/wanted"
	for object in "${others[@]}"; do
		nm --defined-only -g "$object" | awk '{ print $NF }' | sort -u |
			comm -12 "$scratch/wanted" - >"$scratch/met"
		while read -r symbol; do
			echo "$object:1: a leaf of agent/platform calls '$symbol' of this file;" \
				"pass it in, or move it into platform"
		done <"$scratch/met"
	done
	rm -rf "$scratch"
}

if [ ! -d "$root/agent" ]; then
	echo "layers.sh: no agent/ below '$root'; give the root of the tree" >&2
	exit 2
fi
while read -r file; do
	check_file "$file"
done < <(find "$root/agent" -name '*.[ch]' | sort) >"$findings"
[ -z "$build" ] || check_leaves >>"$findings"

cat "$findings"
[ ! -s "$findings" ]
