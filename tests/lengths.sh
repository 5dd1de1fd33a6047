#!/bin/sh
# lengths.sh ROOT: files and functions within what CONTRIBUTING.md allows: kernels under 300 lines, C under 500,
# headers under 150, functions under 60. It reads the layout of .clang-format: a function's first line and its closing
# brace stand in column 0, and its head ends in ") {".
cd "$1" || exit 1
failed=0
# shellcheck disable=SC2044  # the names of this tree hold no blanks
for file in $(find bench cli examples host kernels reports study survey tests -name '*.cl' -o -name '*.[ch]'); do
  case $file in
  *.cl) limit=300 ;;
  *.c) limit=500 ;;
  *.h) limit=150 ;;
  esac
  awk -v limit="$limit" -v file="$file" '
    !inside && /^[A-Za-z_]/ { head = NR; text = $0 }
    !inside && /\) \{$/ { inside = 1 }
    inside && /^}/ {
      inside = 0
      if (NR - head + 1 >= 60) {
        printf "%s:%d: a function of %d lines, 60 are too many: %s\n", file, head, NR - head + 1, text
        bad = 1
      }
    }
    END {
      if (NR >= limit) {
        printf "%s: %d lines, %d are too many\n", file, NR, limit
        bad = 1
      }
      exit bad
    }' "$file" || failed=1
done
exit $failed
