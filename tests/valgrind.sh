#!/bin/sh
# valgrind.sh SUPPRESSIONS TURNOUT FOLDER TEST…: what AddressSanitizer cannot see: values that nobody set. The test
# programs that need no device, one in three a run, drawn by TURNOUT_TEST_SEED or the clock (TURNOUT_TEST_ALL: all), and
# one op through a driver. Exit 77 where valgrind is not installed.
set -u
command -v valgrind >/dev/null || { echo "skipped: valgrind is not installed"; exit 77; }
suppressions=$1 turnout=$2 folder=$3
shift 3
mkdir -p "$folder" || exit 1
failed=0
CK_FORK=no TURNOUT_CACHE=off TURNOUT_TUNED=0 POCL_CACHE_DIR=$folder
export CK_FORK TURNOUT_CACHE TURNOUT_TUNED POCL_CACHE_DIR

clean() { # NAME COMMAND…
  log=$folder/$1.log
  shift
  if valgrind -q --error-exitcode=9 --leak-check=full --errors-for-leak-kinds=definite --show-leak-kinds=definite \
    --suppressions="$suppressions" "$@" >"$log" 2>&1; then
    echo "$(basename "$log" .log): clean"
  else
    echo "$(basename "$log" .log): FOUND"
    head -n 40 "$log"
    failed=1
  fi
}

turn=${TURNOUT_TEST_SEED:-$(date +%s)}
echo "seed $turn (TURNOUT_TEST_SEED)"
for test in "$@"; do
  turn=$((turn + 1))
  [ -n "${TURNOUT_TEST_ALL:-}" ] || [ $((turn % 3)) = 0 ] || continue
  clean "$(basename "$test")" "$test"
done
clean verify "$turnout" verify --op row_gather --cases 1 --quiet
exit $failed
