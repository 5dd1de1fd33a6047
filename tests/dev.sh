#!/bin/sh
# dev.sh ROOT FOLDER: the words of `./dev test`, with programs made up in place of cmake and ctest: which tests are run,
# and that what a machine does not hold is said in the last lines, also after a failure.
set -u
root=$1 folder=$2
rm -rf "$folder"
mkdir -p "$folder/bin" "$folder/tests"
cp "$root/dev" "$folder/"
failed=0

program() { # NAME: its lines from stdin
  { echo '#!/bin/sh'; cat; } >"$folder/bin/$1"
  chmod +x "$folder/bin/$1"
}
echo 'echo ii' | program dpkg-query
echo 'mkdir -p build/tests/pocl build-asan/tests' | program cmake
echo 'mkdir -p build/intel/opencl' | program ../tests/intel_runtime.sh
mkdir "$folder/tests/check"
echo 'mkdir -p build/nvidia/bin' | program ../tests/check/nvidia_tools.sh
echo 'exit 1' | program ../tests/check/intel_tools.sh
echo 'mkdir -p build/amd/usr' | program ../tests/check/amd_tools.sh
program ctest <<'TEXT'
echo "ctest $*" >>asked
[ "$3" = -N ] && { echo "  Test  #3: kills"; exit; }
mkdir -p "$2/Testing/Temporary"
printf 'held here: PoCL\nsome line\nskipped: rusticl is not installed\nnot held here: Oclgrind (none)\n' \
  >"$2/Testing/Temporary/LastTest.log"
[ "$2" != "${FAILS:-}" ]
TEXT

run() { # CODE WORDS…: runs ./dev, its output in $said
  wanted=$1
  shift
  rm -f "$folder/asked"
  said=$(cd "$folder" && PATH=$folder/bin:$PATH ./dev "$@" 2>&1)
  code=$?
  [ $code -eq "$wanted" ] || { echo "./dev $* ends with $code, not $wanted"; failed=1; }
}

expect() { # WHERE TEXT
  case "$1" in
  *"$2"*) ;;
  *)
    printf '"%s" is not in:\n%s\n' "$2" "$1"
    failed=1
    ;;
  esac
}

run 0 test
expect "$(cat "$folder/asked")" '--test-dir build --output-on-failure'
expect "$(cat "$folder/asked")" '-LE ^all$'
expect "$(cat "$folder/asked")" '-LE ^(source|slow|all)$'
last=$(printf '%s\n' "$said" | tail -n 7)
expect "$last" 'dev: plain: held here: PoCL'
expect "$last" 'dev: plain: not held here: rusticl is not installed'
expect "$last" 'dev: sanitizers: not held here: Oclgrind (none)'
expect "$last" 'dev: sanitizers: not held here: kills (held by the plain half alone)'
# A python3 that makes no environment: nothing is fetched from PyPI, and the tests go on.
echo 'exit 1' | program python3
run 0 test --all
expect "$(cat "$folder/asked")" '-LE ^none$'
expect "$said" 'ReFrame into build/reframe'
expect "$said" 'rattler-build into build/rattler'
[ -d "$folder/build/intel/opencl" ] || { echo "--all did not fetch Intel's run-time"; failed=1; }
[ -d "$folder/build/nvidia/bin" ] || { echo "NVIDIA's assembler was not fetched"; failed=1; }
expect "$said" "Intel's offline compiler into build/intel-gpu"
expect "$said" 'it could not be fetched'
echo 'echo "python3 $*" >>asked' | program python3
run 0 check --op gemm
expect "$(cat "$folder/asked")" 'python3 tests/check/check.py --op gemm'
# The demo is a survey of four minutes, in a folder that is new each time.
mkdir -p "$folder/build" "$folder/demo"
echo 'echo "turnout $*" >>asked; [ ! -e demo ]' | program ../build/turnout
run 0 demo
expect "$(cat "$folder/asked")" 'turnout survey --minutes 4 -o demo'
FAILS=build
export FAILS
run 1 test
expect "$(printf '%s\n' "$said" | tail -n 3)" 'dev: plain: not held here: rusticl is not installed'
run 2 test --everything
# Without root: the exact line to run, and nothing is tried.
echo 'exit 1' | program dpkg-query
echo 'echo 1000' | program id
echo 'exit 1' | program sudo
echo 'echo "apt-get $*" >>asked' | program apt-get
run 3 build
expect "$said" "    sudo sh -c 'apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev"
[ ! -f "$folder/asked" ] || { echo "it tried $(cat "$folder/asked")"; failed=1; }
exit $failed
