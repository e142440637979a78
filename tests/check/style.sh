#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The rules of the house that a machine can check.  style.sh [ROOT]
#
# Prints "FILE:LINE: what; what to do" for each finding and exits 1.  Every rule here has a bad
# sample in selftest.sh that it must catch.
set -u

root=${1:-.}
cd "$root" || exit 2
findings=$(mktemp)
trap 'rm -f "$findings"' EXIT

# Sources that we wrote: tracked or about to be; in a bare folder everything but build/.
list_files() {
	if [ -e .git ]; then
		git ls-files --cached --others --exclude-standard
	else
		find . -type f ! -path './build/*' | sed 's|^\./||'
	fi | sort | while read -r file; do
		[ ! -f "$file" ] || echo "$file"
	done
}

# Where a name says which language a file is in; shell scripts without a suffix say it themselves.
sources_of() {
	local kind=$1 file

	echo "$files" | while read -r file; do
		case $kind:$file in
		c:*.c | c:*.h | sh:*.sh) echo "$file" ;;
		text:*.c | text:*.h | text:*.sh | text:*.md | text:*.yaml | text:*.yml) echo "$file" ;;
		text:*Makefile | text:*Containerfile | text:*.service | text:*.ci/run) echo "$file" ;;
		sh:.ci/run) echo "$file" ;;
		esac
	done
}

# grep over the files on stdin; "FILE:LINE: MESSAGE" for each line that matches.
grep_rule() {
	local pattern=$1 message=$2

	xargs -r grep -nHE -- "$pattern" /dev/null | while IFS=: read -r file line _; do
		echo "$file:$line: $message"
	done
}

# C without comments, so that prose may name what code may not call.
grep_code() {
	local pattern=$1 message=$2 file

	while read -r file; do
		sed -E 's|/\*.*\*/||; s|^[ \t]*/?\*.*||; s|//.*||' "$file" | grep -nE -- "$pattern" |
			while IFS=: read -r line _; do
				echo "$file:$line: $message"
			done
	done
}

rule_licence() {
	local file want line

	{ sources_of c; sources_of sh; } | while read -r file; do
		want='Apache-2.0'
		case $file in
		bpf/* | *.bpf.c | *.bpf.h | vmlinux.h) want='GPL-2.0-only OR BSD-2-Clause' ;;
		esac
		line=1
		[ "$(head -c2 "$file")" != '#!' ] || line=2
		sed -n "${line}p" "$file" |
			grep -qE "SPDX-License-Identifier: $want( \*/)?\$" ||
			echo "$file:$line: no licence on this line;" \
				"write 'SPDX-License-Identifier: $want'"
	done
}

rule_banned_calls() {
	local any='strtok|strtok_r|sscanf|vsscanf|atoi|atol|atoll|atof'

	sources_of c | grep_code "\\b($any|strcpy|strcat|stpcpy|sprintf|vsprintf|gets|alloca)\\(" \
		'a call that cannot say what went wrong or where the buffer ends; use platform/parse.h or platform/sbuf.h'
	sources_of c | grep -v 'agent/platform/parse\.c$' |
		grep_code '\bstrto(l|ll|ul|ull|d|f|ld|imax|umax)(_l)?\(' \
			'numbers are read in one place; use platform/parse.h'
	sources_of c | grep -E '^(agent|scorer)/' | grep -v '/main\.c$' |
		grep_code '\bexit\(' 'only main may end the program; return the error'
	sources_of c | grep -E '^(agent|scorer)/' |
		grep_code '\bgoto [a-z_]+;' 'a jump; let the declaration clean up (platform/scope.h)'
}

rule_file_names() {
	echo "$files" | grep -iE '(^|/)(utils?|misc|common|helpers?)(\.[a-z.]+|/.*)$' |
		sed 's/$/:1: a name that says nothing; name it after what it is for/'
}

rule_lengths() {
	local file

	{ sources_of c; sources_of sh; } | grep -vx 'vmlinux\.h' | while read -r file; do
		awk -v file="$file" '
		/^\{$/ || /^[a-z_0-9]+\(\) *\{$/ { start = NR }
		/^\}/ && start {
			if (NR - start - 1 > 60)
				print file ":" start ": a function of " NR - start - 1 \
					" lines, 60 at most; give its parts names"
			start = 0
		}
		END {
			if (NR > 500)
				print file ":500: " NR " lines, 500 at most; one purpose a file"
		}' "$file"
	done
}

rule_unfinished() {
	sources_of text | grep_rule '\b(TO[D]O|FI[X]ME|XX[X]|HA[C]K)\b' \
		'work left for later; do it now, or write an issue'
}

# A path of the machine that it was written on means nothing to the next reader.
rule_paths() {
	local above

	sources_of text | grep_rule '(^|[^A-Za-z0-9_.])/(home|Users)/[A-Za-z]|/root/[A-Za-z]' \
		'a path of somebody'"'"'s home; make it relative, or an argument'
	above=$(dirname "$PWD")
	case $above in
	/ | /root | /tmp | /var/tmp | /usr/src | /opt | /srv | /build | /src) return ;;
	esac
	echo "$files" | tr '\n' '\0' | xargs -0 -r grep -nHIF -- "$above/" /dev/null |
		while IFS=: read -r file line _; do
			echo "$file:$line: a path of this checkout; make it relative"
		done
}

rule_whitespace() {
	local file

	sources_of text | grep_rule '[ 	]+$' 'white space at the end of the line; delete it'
	sources_of text | while read -r file; do
		[ ! -s "$file" ] || [ -z "$(tail -c1 "$file")" ] ||
			echo "$file:$(($(wc -l <"$file") + 1)): no newline at the end; add it"
	done
}

files=$(list_files)
if [ -z "$files" ]; then
	echo "style.sh: nothing to check in '$root'; give the root of the tree" >&2
	exit 2
fi
for rule in $(declare -F | awk '$3 ~ /^rule_/ { print $3 }'); do
	"$rule" | sort -t: -k1,1 -k2,2n >>"$findings"
done

cat "$findings"
[ ! -s "$findings" ]
