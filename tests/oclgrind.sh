#!/bin/sh
# oclgrind.sh TURNOUT FOLDER KIND CASES OP…: each op under an interpreter that sees races, accesses outside a buffer
# and reads of what nobody wrote, with the tunables of KIND (cpu or gpu). It exits 0 whatever it finds, so its log is
# read; logs stay in FOLDER.
# oclgrind.sh --self-test TURNOUT FOLDER KERNELS: breaks a kernel in three ways and wants each of them found.
# Exit 77 where Oclgrind is not installed.
#
# A process a case: after a buffer has come and gone, Oclgrind 21.10 may take the next one for unwritten (within a case
# verify lets none go). Without -cl-opt-disable it crashes on some vector code when it follows unwritten values.
set -u

checked() { # LOG OP CASE: runs it; 0 when it ended well and nothing was logged
  rm -f "$1"
  oclgrind --data-races --uninitialized --build-options -cl-opt-disable --max-errors 20 --log "$1" \
    "$turnout" verify --op "$2" --seed 7 --case "$3" --quiet >"$1.out" 2>&1
  code=$?
  [ -f "$1" ] || echo "oclgrind wrote no log" >"$1"
  [ $code -eq 0 ] && [ ! -s "$1" ]
}

every_op() {
  failed=0
  for op in "$@"; do
    case_number=0
    found=
    while [ $case_number -lt "$cases" ]; do
      log=$folder/$op.$kind.$case_number.log
      checked "$log" "$op" $case_number || found="$found $case_number"
      case_number=$((case_number + 1))
    done
    echo "$op ($kind): ${found:+FOUND in case}${found:-nothing found}"
    for case_number in $found; do
      failed=1
      tail -n 3 "$folder/$op.$kind.$case_number.log.out"
      head -n 30 "$folder/$op.$kind.$case_number.log"
    done
  done
  return $failed
}

# NAME SED-PROGRAM EXPECTED: gelu broken by SED-PROGRAM must bring EXPECTED into the log.
broken() {
  mkdir -p "$folder/$1"
  cp "$kernels"/*.cl "$folder/$1/"
  sed "$2" "$kernels/gelu.cl" >"$folder/$1/gelu.cl"
  TURNOUT_KERNELS=$folder/$1
  export TURNOUT_KERNELS
  log=$folder/$1.log
  if checked "$log" gelu 1; then
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
  return $failed
}

command -v oclgrind >/dev/null || { echo "not held here: Oclgrind (oclgrind is not installed)"; exit 77; }
TURNOUT_CACHE=off TURNOUT_TUNED=0
export TURNOUT_CACHE TURNOUT_TUNED
if [ "$1" = --self-test ]; then
  turnout=$2 folder=$3 kernels=$4
  mkdir -p "$folder" && self_test
else
  turnout=$1 folder=$2 kind=$3 cases=$4
  shift 4
  TURNOUT_KIND=$kind
  export TURNOUT_KIND
  # a work-item's copy of A at its size on a CPU is past what this device takes
  TURNOUT_TUNE="gemm.KC=32,gemm.TILES=2" && export TURNOUT_TUNE
  mkdir -p "$folder" && every_op "$@" && echo "held here: $(oclgrind --version | grep -o 'Oclgrind [0-9.]*' | head -n 1)"
fi
