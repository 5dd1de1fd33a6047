#!/bin/sh
# checksums.sh PROGRAM LIST KIND CASES: the hashes that PROGRAM gives in the style KIND are those of LIST, which the
# program gave before its code was moved. The bits are those of one type of CPU and one version of PoCL: exit 77 on
# another.
program=$1 list=$2 cases=$4
TURNOUT_KIND=$3
export TURNOUT_KIND

got=$("$program" "$cases") || exit 1
here=$(printf '%s\n' "$got" | head -n 1)
there=$(head -n 1 "$list")
if [ "$here" != "$there" ]; then
    echo "not held here: the same bits as before, in the style $TURNOUT_KIND (list: $there; here: $here)"
    exit 77
fi

# Ops by the names they have today: a list may be older than a name.
printf '%s\n' "$got" | cat - "$list" |
    sed -e 's/^part_sum /partial_sums /' -e 's/^cheap_track /conv_track /' |
    awk -v cases="$cases" '
        /^device / { lists++; next }
        { key = $1 " " $2 " " $3 }
        lists == 1 { got[key] = $4; next }
        $3 > cases { next }
        !(key in got) { print "FAILED: no hash of " key " cases"; bad++; next }
        got[key] != $4 { print "FAILED: " key " cases: " got[key] ", before: " $4; bad++; next }
        { held++ }
        END {
            print held + 0 " hashes as before, " bad + 0 " not"
            exit bad > 0 || held == 0
        }'
