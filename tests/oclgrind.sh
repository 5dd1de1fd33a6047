#!/bin/sh
# oclgrind.sh TURNOUT LOG: every op under an interpreter that sees races and accesses outside a buffer. It exits 0
# whatever it finds, so its log is read. Exit 77 where it is not installed.
turnout=$1 log=$2
command -v oclgrind >/dev/null || { echo "skipped: oclgrind is not installed"; exit 77; }
rm -f "$log"
TURNOUT_CACHE=off oclgrind --data-races --log "$log" "$turnout" verify --cases 2 --seed 7 --quiet || exit 1
[ -f "$log" ] || { echo "oclgrind wrote no log"; exit 1; }
[ ! -s "$log" ] || { head -n 60 "$log"; exit 1; }
