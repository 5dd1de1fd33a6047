#!/bin/sh
# fuzz.sh SECONDS [TARGET…]: libFuzzer on every target of tests/fuzz_targets.c (or those named), so long each, under
# AddressSanitizer and UndefinedBehaviorSanitizer (needs clang and libclang-rt-14-dev). What is new and worth keeping lands in build-fuzz/corpus/TARGET; a crash in
# build-fuzz/crash/TARGET: mend it, and put the file into tests/data/fuzz/TARGET.
set -eu
cd "$(dirname "$0")/.."
seconds=$1
shift
if [ ! -f build-fuzz/build.ninja ]; then
  cmake -G Ninja -S . -B build-fuzz -DCMAKE_C_COMPILER=clang -DCMAKE_BUILD_TYPE=RelWithDebInfo -DTN_SANITIZE=ON -DTN_FUZZ=ON \
    -DTN_WERROR=OFF >/dev/null
fi
cmake --build build-fuzz --target fuzz_main >/dev/null
[ $# -gt 0 ] || set -- csv report row safetensors config tuned options shape axis names number
LSAN_OPTIONS=suppressions=$PWD/tests/leaks.supp:print_suppressions=0
ASAN_OPTIONS=allocator_may_return_null=1:intercept_tls_get_addr=0
export LSAN_OPTIONS ASAN_OPTIONS
failed=0
for target in "$@"; do
  mkdir -p "build-fuzz/corpus/$target" "build-fuzz/crash/$target"
  TURNOUT_FUZZ=$target build-fuzz/tests/fuzz_main -max_total_time="$seconds" -timeout=20 -rss_limit_mb=3000 -max_len=4096 \
    -artifact_prefix="build-fuzz/crash/$target/" -print_final_stats=1 "build-fuzz/corpus/$target" "tests/data/fuzz/$target" \
    >"build-fuzz/$target.log" 2>&1 || {
    failed=1
    echo "$target: FOUND, see build-fuzz/$target.log"
  }
  echo "$target: $(sed -n 's/^stat::number_of_executed_units: *//p' "build-fuzz/$target.log") inputs in $seconds s"
done
exit $failed
