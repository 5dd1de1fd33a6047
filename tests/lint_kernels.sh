#!/bin/sh
# lint_kernels.sh ROOT [FIRST:FILE…]: every kernel file through clang as strict OpenCL C 1.2, as the program puts it
# together: kernels/lib in front; a part of an op behind the file it is a part of, an op behind what several share. With the
# tunables of a CPU, of a GPU, and widths between. Exit 77 where there is no clang.
root=$1
shift
parts=$*
command -v clang >/dev/null || { echo "skipped: clang is not installed"; exit 77; }

cpu="" # what the files say themselves
gpu="LANES=1 NV=1 TM=4 TILES=1 COPY_A=0 TQ=1 TK=1 KB=32 ROWS=1 VECTORS=1 TILE=256 GROUP=64"
between="ADDED=1 LANES=4 TM=1 A_ROWS=0 SILU=0 K=3 DH=80"

# FILES TUNABLES: -D options for those that one of the files has as "#ifndef".
options_of() {
  for tunable in $2; do
    # shellcheck disable=SC2086  # one word a file
    grep -qx "#ifndef ${tunable%%=*}" $1 && printf -- '-D%s ' "$tunable"
  done
}

# Names of files hold no spaces: one word a file.
kernels=$(find "$root/kernels" -name '*.cl' | sort)
files="$kernels $(ls "$root"/bench/*/*.cl)"
failed=0
# shellcheck disable=SC2086
grep -n '^[^*]*\<inline\>' $files | grep -v 'static inline' && {
  echo "lint: inline without static is an undefined function wherever a compiler does not inline it"
  failed=1
}
# shellcheck disable=SC2086
grep -n 'static inline.*\<local\> ' $kernels && {
  echo "lint: a helper that takes local memory is ALWAYS_INLINE (see lib/vector.cl)"
  failed=1
}
# One vocabulary: what kernels/lib defines, macros, types and functions, no other file defines too.
# shellcheck disable=SC2086
for name in $(sed -nE 's/^ *# *define +([A-Za-z0-9_]+).*/\1/p; s/^typedef .* (\w+)( __attribute__.*)?;$/\1/p
    s/^(static inline|ALWAYS_INLINE) .*\b(\w+)\(.*/\2/p' "$root"/kernels/lib/*.cl | sort -u); do
  where=$(grep -lE "^ *# *define +$name\b|^typedef .*\b$name\b( __attribute__.*)?;|^(static inline|ALWAYS_INLINE) .*\b$name\(" $files)
  [ "$(echo "$where" | wc -l)" = 1 ] || {
    echo "lint: $name of kernels/lib is defined in more than one file:" $where
    failed=1
  }
done
# What is embedded: drivers have refused characters beyond ASCII, and a name of a built-in may be a macro of theirs.
text=$(mktemp -d) && trap 'rm -rf "$text"' EXIT
names=$(grep -oE '\b[a-z_][a-z0-9_]*\(' "$(clang -print-resource-dir)/include/opencl-c.h" | tr -d '(' | sort -u |
  grep -vE '^(__|as_|convert_|vload|vstore|defined$)' | tr '\n' '|')
for file in $files; do
  name=$(basename "$file" .cl)
  cmake -DINPUT="$file" -DNAME="$name" -DOUTPUT="$text/$name.c" -DTEXT="$text/$name.cl" -P "$root/kernels/embed.cmake" || failed=1
  if LC_ALL=C grep -nP '[^\x00-\x7f]|/\*' "$text/$name.cl"; then
    echo "lint: $file: beyond ASCII, or a comment, in what is embedded"
    failed=1
  fi
  if LC_ALL=C grep -nP "\b(${names%|})\b(?!\s*\()" "$text/$name.cl"; then
    echo "lint: $file: a name of a built-in function"
    failed=1
  fi
  # Inlined, it leaves LLVM's noalias scopes, which Oclgrind 21.10 does not know.
  if awk '/^(ALWAYS_INLINE|static)/ { head = 1 } head && /restrict/ { print FILENAME ":" FNR ": " $0; bad = 1 }
          /{/ { head = 0 } END { exit !bad }' "$file"; then
    echo "lint: $file: restrict in a function that is no kernel"
    failed=1
  fi
done
for file in $files; do
  name=$(basename "$file" .cl)
  before=
  behind=$name
  while [ -n "$behind" ]; do # up the chain of what is put in front
    name=$behind behind=
    for part in $parts; do
      [ "${part#*:}" = "$name" ] && behind=${part%%:*}
    done
    [ -n "$behind" ] && before="$(find "$root/kernels" -name "$behind.cl") $before"
  done
  set --
  for one in $before; do
    set -- "$@" -include "$one"
  done
  for tunables in "$cpu" "$gpu" "$between"; do
    # shellcheck disable=SC2086  # one word a file
    grep -qx '#error "LANES is 4, 8 or 16"' $before "$file" && tunables=$(echo "$tunables" | sed 's/LANES=4/LANES=8/; s/LANES=1 /LANES=4 /')
    # shellcheck disable=SC2086
    grep -qx '#error "LANES is 4 in kernels of work-groups"' $before "$file" && tunables="LANES=4 $(echo "$tunables" | sed 's/LANES=[0-9]*//')"
    options=$(options_of "$before $file" "$tunables")
    [ -n "$tunables" ] && [ -z "$options" ] && continue
    # A tunable may leave a parameter without use, and what stands in front of other files a function.
    # shellcheck disable=SC2086  # one word an option
    clang -x cl -cl-std=CL1.2 -Xclang -finclude-default-header -fsyntax-only -Wall -Wextra -Wshadow \
      -Wno-unused-parameter -Wno-unused-function -Werror $options "$@" "$file" || {
      echo "lint: $file ${options:-as it stands}"
      failed=1
    }
  done
done
exit $failed
