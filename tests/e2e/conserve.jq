# SPDX-License-Identifier: Apache-2.0
# What is wrong with a snapshot: one line a finding, nothing when every law holds.
# Joules are decimals with 9 places; as integers of nanojoules a double holds them exactly below
# 9 MJ, which is more than a test uses.

def nj: . * 1e9 | round;
def sum: reduce .[] as $x (0; . + $x);

# RFC 3339 to seconds with their fraction.
def seconds:
	capture("^(?<whole>[^.Z]+)(?<fraction>\\.[0-9]+)?Z$")
	| (.whole + "Z" | fromdateiso8601) + ("0" + (.fraction // ".0") | tonumber);

def buckets_sum_to_their_zone:
	.zones[]
	| (.joules | nj) as $whole
	| ([.buckets[] | nj] | sum) as $parts
	| select($whole != $parts)
	| "zone \(.zone) \(.device): \($whole) nJ, but its buckets sum to \($parts)";

# Containers, what their pods used beside them, and what has been folded.
def containers_sum_to_their_bucket:
	. as $all
	| ([.zones[].zone] | unique) as $zones
	| (if $zones | index("package") then ["package", "dram", "gpu"] else ["platform"] end)[]
	| . as $zone
	| select($zones | index($zone))
	| ([$all.zones[] | select(.zone == $zone) | .buckets.containers | nj] | sum) as $bucket
	| ([$all.containers[].joules[$zone] // 0 | nj] | sum) as $containers
	| ([$all.pods[].overhead[$zone] // 0 | nj] | sum) as $overhead
	| (($all.folded.containers[$zone] // 0) | nj) as $folded
	| select($bucket != $containers + $overhead + $folded)
	| "\($zone): bucket containers is \($bucket) nJ, but containers \($containers)"
		+ " + overhead \($overhead) + folded \($folded)";

# Every nanosecond of every CPU is somebody's: to $ratio, and to the moment between a reading and
# its time stamp.  The kernel's own files move with its tick: a ratio that allows for them allows
# for a few of those.
def time_is_conserved:
	((.end | seconds) - (.start | seconds)) as $wall
	| ([.cpu_seconds[]] | sum) as $booked
	| ($wall * .cpus) as $whole
	| ($booked - $whole | fabs) as $off
	| select($off > $ratio * $whole + .cpus * (if $ratio > 0.001 then 0.05 else 0.001 end))
	| "cpu_seconds sum to \($booked), but \(.cpus) CPUs passed \($whole): \($off) s off";

def nothing_is_negative:
	path(.. | numbers | select(. < 0)) as $path
	| "\($path | map(tostring) | join(".")) is \(getpath($path))";

def every_joule_says_its_source:
	. as $all
	| .zones[]
	| . as $zone
	| select([$all.sources[] | select(.zone == $zone.zone and .device == $zone.device
		and (.quality | IN("measured", "shared", "modelled")) and .error_ratio >= 0)] | length != 1)
	| "zone \($zone.zone) \($zone.device) has no source that says its quality";

if .version != 1 then "version is \(.version)" else empty end,
if .zones | length == 0 then "no zone" else empty end,
buckets_sum_to_their_zone,
containers_sum_to_their_bucket,
time_is_conserved,
nothing_is_negative,
every_joule_says_its_source
