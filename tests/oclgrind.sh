#!/bin/sh
# oclgrind.sh TURNOUT FOLDER KIND CASES OP…: each op under an interpreter that sees races, accesses outside a buffer
# and reads of what nobody wrote, with the tunables of KIND (cpu or gpu). It exits 0 whatever it finds, so its log is
# read; logs stay in FOLDER. CASES: all, or one of
# them for one op in three, other ops for each KIND, drawn by TURNOUT_TEST_SEED or the clock.
# oclgrind.sh --undefined PLUGIN TURNOUT FOLDER CASES OP…: the same for what C leaves undefined (undefined_plugin.cpp),
# one lane wide, because only scalars promise not to overflow.
# oclgrind.sh --self-test PLUGIN TURNOUT FOLDER KERNELS: breaks kernels and wants each fault found. PLUGIN may be "":
# then without those that it finds.
# Exit 77 where Oclgrind is not installed, or there is no plugin for --undefined.
#
# A process a case and variant: after a buffer has come and gone, Oclgrind 21.10 may take the next one for unwritten
# (within a case verify lets none go). Without -cl-opt-disable it crashes on some vector code when it follows unwritten values.
set -u

variants_of() { # OP: their names, of which a line "style" follows that of the name
  "$turnout" verify --list --json --op "$1" |
    awk -F'"' '/"style"/ { print name } /"name"/ { name = $4 }'
}

checked() { # LOG OP CASE: runs it by every variant; 0 when all ended well and nothing was logged
  variants=$(variants_of "$2")
  [ -n "$variants" ] || { echo "no variants of $2" >"$1.out"; return 1; }
  for variant in $variants; do
    rm -f "$1"
    # shellcheck disable=SC2086  # one word an option
    oclgrind $looks --build-options -cl-opt-disable --max-errors 20 --log "$1" \
      "$turnout" verify --op "$2" --variant "$variant" --seed 7 --case "$3" --quiet >"$1.out" 2>&1
    code=$?
    [ -f "$1" ] || echo "oclgrind wrote no log" >"$1"
    { [ $code -eq 0 ] && [ ! -s "$1" ]; } || return 1
  done
}

every_op() {
  failed=0
  turn=${TURNOUT_TEST_SEED:-$(date +%s)} # one case an op: of another number for the next op
  case "$kind$looks" in # each kind of run has ops of its own
  cpu*) ;;
  *--plugins*) turn=$((turn + 1)) ;;
  *) turn=$((turn + 2)) ;;
  esac
  for op in "$@"; do
    turn=$((turn + 1))
    numbers="0 1 2"
    [ "$cases" != one ] || numbers=$((turn / 3 % 3))
    [ "$cases" != one ] || [ $((turn % 3)) = 0 ] || continue
    found=
    for case_number in $numbers; do
      log=$folder/$op.$kind.$case_number.log
      checked "$log" "$op" "$case_number" || found="$found $case_number"
    done
    echo "$op ($kind), case $numbers: ${found:+FOUND in case}${found:-nothing found}"
    for case_number in $found; do
      failed=1
      tail -n 3 "$folder/$op.$kind.$case_number.log.out"
      head -n 30 "$folder/$op.$kind.$case_number.log"
    done
  done
  return $failed
}

# NAME SED-PROGRAM EXPECTED [OP CASE FILE]: the kernels of OP, broken by SED-PROGRAM in FILE, must bring EXPECTED into
# the log.
broken() {
  op=${4:-gelu} file=${6:-gelu.cl} # of `kernels`
  mkdir -p "$folder/$1"
  cp -R "$kernels"/. "$folder/$1/"
  sed "$2" "$kernels/$file" >"$folder/$1/$file"
  cmp -s "$kernels/$file" "$folder/$1/$file" && [ -n "$2" ] && { echo "$1: nothing was broken"; failed=1; return; }
  TURNOUT_KERNELS=$folder/$1
  export TURNOUT_KERNELS
  log=$folder/$1.log
  if checked "$log" "$op" "${5:-1}"; then
    echo "$1: NOT FOUND"
    failed=1
  elif grep -q "$3" "$log"; then
    echo "$1: found"
  else
    echo "$1: something else was found"
    cat "$log.out" "$log" | head -n 20
    failed=1
  fi
}

self_test() {
  failed=0
  body='^kernel void gelu_forward/,/^}'
  broken intact "" "never there" >/dev/null
  [ -s "$folder/intact.log" ] && { echo "intact: something was found"; head -n 20 "$folder/intact.log"; return 1; }
  failed=0
  broken past-the-end "/$body/ s/^    const int first/    if (x[count] > 1e30f) return;\n&/" "Invalid read"
  broken race "/$body/ s/^    const int first/    y[0] = get_global_id(0);\n&/" "data race"
  broken unwritten "/$body/ s/^    const int first/    float none[4]; if (none[count \& 3] > 1e30f) return;\n&/" "[Uu]ninitialized"
  [ -z "$plugin" ] && { echo "skipped: what the plugin finds (liboclgrind-dev and llvm-14-dev are not installed)"; return $failed; }
  looks="--plugins $plugin" TURNOUT_KIND=gpu TURNOUT_TUNE=$one_lane
  export TURNOUT_KIND TURNOUT_TUNE
  broken intact "" "never there" >/dev/null
  [ -s "$folder/intact.log" ] && { echo "intact: something undefined was found"; head -n 20 "$folder/intact.log"; return 1; }
  failed=0
  at="/$body/ s/^    const int first/"
  broken overflow "$at    if (count + 2147483647 - (int)get_global_id(0) == 3) return;\n&/" "signed integer overflow"
  broken zero "$at    if (count \/ (int)get_global_id(1) == 3) return;\n&/" "division by zero"
  broken float "$at    if ((int)(1e20f * (share + 1)) == 3) return;\n&/" "a float out of the integer's range"
  broken aligned "$at    if (((const global float4 *)(x + 1))->s0 > 1e30f) return;\n&/" "less aligned than its type"
  broken null "$at    const global float *none = 0; if (none + count == x) return;\n&/" "arithmetic on a null pointer"
  broken restrict "s/^    global float \*dx, /    global float *restrict dx, /" "restrict on a buffer" rms_norm 1 rms_norm/rms_norm_threads.cl
  # Rotations as they were: an eighth of all angles had the wrong sign where a compiler made use of it.
  broken old-rope "s/sin_cos_turn(uintv turn/sin_cos_turn(uintv turned/; s/const uintv quarter = (turn + 0x20000000u)/const intv turn = AS_INTV(turned), quarter = (turn + 0x20000000)/" \
    "signed integer overflow" rope 1 lib/turn.cl
  # And windows: no gradient of keys where a window passed 2^31 with them.
  broken old-window "s/const int seen = .*/const int seen = window > 0 ? min(T, s0 + count - 1 + window) : T;/" \
    "signed integer overflow" flash_attention "$big_window" flash_attention/flash_attention_backward.cl
  return $failed
}

command -v oclgrind >/dev/null || { echo "not held here: Oclgrind (oclgrind is not installed)"; exit 77; }
TURNOUT_CACHE=off TURNOUT_TUNED=0
export TURNOUT_CACHE TURNOUT_TUNED
looks="--data-races --uninitialized"
small="gemm.KC=32,gemm.TILES=2" # a work-item's copy of A at its size on a CPU is past what this device takes
one_lane=$small
for op in adamw causal_conv embedding gelu grad_clip partial_sums rms_norm rope row_gather row_scatter softmax_cross_entropy; do
  one_lane=$one_lane,$op.LANES=1
done
big_window=1 # a case of seed 7 whose window is past every length
if [ "$1" = --self-test ]; then
  plugin=$2 turnout=$3 folder=$4 kernels=$5
  mkdir -p "$folder" && self_test
elif [ "$1" = --undefined ]; then
  plugin=$2 turnout=$3 folder=$4 cases=$5 kind=gpu
  shift 5
  [ -f "$plugin" ] || { echo "not held here: what C leaves undefined (liboclgrind-dev and llvm-14-dev are not installed)"; exit 77; }
  looks="--plugins $plugin" TURNOUT_KIND=gpu TURNOUT_TUNE=$one_lane
  export TURNOUT_KIND TURNOUT_TUNE
  mkdir -p "$folder" && every_op "$@"
else
  turnout=$1 folder=$2 kind=$3 cases=$4
  shift 4
  TURNOUT_KIND=$kind
  export TURNOUT_KIND
  TURNOUT_TUNE=$small && export TURNOUT_TUNE
  mkdir -p "$folder" && every_op "$@" && echo "held here: $(oclgrind --version | grep -o 'Oclgrind [0-9.]*' | head -n 1)"
fi
