#!/bin/sh
# lint_kernels.sh ROOT [OP:PART…]: every kernel file through clang as strict OpenCL C 1.2, as the program puts it
# together: common.cl in front; a second file of an op behind its first. Exit 77 where there is no clang.
root=$1
shift
parts=$*
command -v clang >/dev/null || { echo "skipped: clang is not installed"; exit 77; }
failed=0
for file in "$root"/kernels/*.cl "$root"/bench/*.cl; do
  name=$(basename "$file" .cl)
  [ "$name" = common ] && continue
  set -- -include "$root/kernels/common.cl"
  for part in $parts; do
    [ "${part#*:}" = "$name" ] && set -- "$@" -include "$root/kernels/${part%%:*}.cl"
  done
  clang -x cl -cl-std=CL1.2 -Xclang -finclude-default-header -fsyntax-only -Wall -Werror "$@" "$file" || {
    echo "lint: $file"
    failed=1
  }
done
exit $failed
