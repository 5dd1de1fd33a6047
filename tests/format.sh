#!/bin/sh
# format.sh ROOT: every C, C++ and kernel file as .clang-format has it. Exit 77 where there is no clang-format 14 (others
# break lines elsewhere).
for tool in clang-format-14 clang-format; do
  command -v $tool >/dev/null && $tool --version | grep -q 'version 14' && break
  tool=
done
[ -n "$tool" ] || { echo "skipped: clang-format 14 is not installed"; exit 77; }
cd "$1" || exit 1
find bench cli examples host kernels reports study survey tests \( -name '*.c' -o -name '*.h' -o -name '*.cl' -o -name '*.cpp' \) -exec "$tool" --dry-run -Werror {} +
