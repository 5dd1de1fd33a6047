#!/bin/sh
# shapes.sh TURNOUT CASES OP: CASES random shapes of one op in each style (what a CPU runs, what a GPU would run),
# from a seed drawn anew, which is printed; TURNOUT_SHAPES_SEED gives one again. On every implementation that the
# machine has: PoCL gets all of them, rusticl a tenth.
set -eu
program=$1
cases=$2
op=$3
seed=${TURNOUT_SHAPES_SEED:-$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')}

hold() {
    name=$1
    count=$2
    for kind in cpu gpu; do
        TURNOUT_KIND=$kind "$program" verify -d "$name" --op "$op" --cases "$count" --seed "$seed" -q >/dev/null || {
            echo "FAILED: TURNOUT_KIND=$kind turnout verify -d $name --op $op --cases $count --seed $seed"
            exit 1
        }
        echo "$op, $kind style, $name: $count shapes of seed $seed, none wrong"
    done
}

export RUSTICL_ENABLE=llvmpipe
devices=$("$program" devices)
case "$devices" in
*"Portable Computing Language"*) hold "${TURNOUT_SHAPES_POCL:-pthread}" "$cases" ;;
*) echo "PoCL is not installed: its part is left out" ;;
esac
case "$devices" in
*llvmpipe*) hold llvmpipe $(((cases + 9) / 10)) ;;
*) echo "rusticl is not installed: its part is left out" ;;
esac
