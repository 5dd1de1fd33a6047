#!/bin/sh
# install.sh BUILD SOURCE WORK: what is installed is whole: manual page, completion, and the library as another program
# sees it through pkg-config. Exit 77 where there is no pkg-config.
set -eu
build=$1 source=$2 work=$3
command -v pkg-config >/dev/null || { echo "skipped: pkg-config is not installed"; exit 77; }
fail() {
  echo "install.sh: $*" >&2
  exit 1
}
rm -rf "$work"
mkdir -p "$work"
cmake --install "$build" --prefix "$work/usr" >"$work/install.log" || fail "cmake --install failed"
cd "$work/usr"

"bin/turnout" help >/dev/null || fail "the program does not run"
for word in build compiler OpenCL CLBlast hwloc jansson; do
  bin/turnout --version | grep -q "^$word  *[^ ]" || fail "--version does not say $word"
done

page=share/man/man1/turnout.1
for command in $(bin/turnout help | sed -n 's/^  \([a-z]*\)  .*/\1/p' | grep -v '^help$'); do
  grep -q "^\.SS turnout $command" $page || fail "$page lacks $command"
done
if command -v man >/dev/null; then
  LC_ALL=C.UTF-8 man --warnings -E UTF-8 -l -Tutf8 $page 2>"$work/man.log" >"$work/man.txt"
  [ ! -s "$work/man.log" ] || fail "man warns: $(cat "$work/man.log")"
  [ -s "$work/man.txt" ] || fail "man shows nothing"
fi

completion=share/bash-completion/completions/turnout
if command -v bash >/dev/null; then
  bash -n $completion || fail "$completion is no bash"
  cat >"$work/complete.bash" <<'BASH'
source "$1"
gives() { # WANTED WORD… : the words before the cursor, the last of them begun
  local wanted=$1
  shift
  COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
  _turnout
  [[ "${COMPREPLY[*]}" == "$wanted" ]] || { echo "'$*' gives '${COMPREPLY[*]}', not '$wanted'"; exit 1; }
}
gives "csv json md" turnout bench --format ""
gives "compare completion" turnout com
gives "--samples" turnout sweep --sam
gives "step" turnout bench --level = st
gives "seed,far" turnout study --only seed,f
gives "random:" turnout train --mixer ran
gives "recall mqar text" turnout train --task ""
gives "bash zsh fish" turnout completion ""
gives "verify" turnout help ver
BASH
  bash "$work/complete.bash" $completion || fail "completion gives other words"
fi
! command -v zsh >/dev/null || zsh -n share/zsh/site-functions/_turnout || fail "_turnout is no zsh"
! command -v fish >/dev/null || fish -n share/fish/vendor_completions.d/turnout.fish || fail "turnout.fish is no fish"

# A program of its own, through pkg-config alone.
PKG_CONFIG_PATH=$(find "$work/usr" -name pkgconfig -type d)
export PKG_CONFIG_PATH
# shellcheck disable=SC2046  # one word a flag
cc -std=c11 -Wall -Wextra -Werror -O2 "$source/examples/routed_attention.c" \
  $(pkg-config --cflags --libs turnout) -lm -o "$work/example" || fail "the example does not build"
lib=$(pkg-config --variable=libdir turnout)
LD_LIBRARY_PATH=$lib ldd "$work/example" | grep -q "$lib/libturnout.so.[0-9]" || fail "the example is not linked with the shared library"
LD_LIBRARY_PATH=$lib "$work/example" || fail "the example is wrong"
# The same without it: the archive, and what pkg-config says it needs.
# shellcheck disable=SC2046
cc -std=c11 -O2 "$source/examples/routed_attention.c" $(pkg-config --cflags turnout) "$lib/libturnout.a" \
  $(pkg-config --libs $(pkg-config --print-requires-private turnout)) -lm -o "$work/static" || fail "the example does not build with libturnout.a"
"$work/static" || fail "the example is wrong with libturnout.a"
# Every public header is there, and stands alone.
for header in include/turnout/*.h; do
  cc -std=c11 -Wall -Wextra -Werror -fsyntax-only "$header" || fail "$header does not stand alone"
done

# The Debian package; it asks dpkg-shlibdeps for what it depends on.
if command -v dpkg-shlibdeps >/dev/null; then
  (cd "$build" && cpack -G DEB --config CPackConfig.cmake -B "$work/deb") >"$work/cpack.log" 2>&1 || fail "cpack: see $work/cpack.log"
  dpkg-deb -c "$work"/deb/*.deb >"$work/deb.txt"
  for file in usr/bin/turnout $page lib/libturnout.a lib/libturnout.so lib/pkgconfig/turnout.pc include/turnout/turnout.h; do
    grep -q "/$file" "$work/deb.txt" || fail "the package lacks $file"
  done
  dpkg-deb -f "$work"/deb/*.deb Depends | grep -q ocl-icd || fail "the package does not depend on an OpenCL loader"
fi

# docs/install.md shows a part of the example as it is.
awk '/^```c$/ { inside = 1; next } /^```$/ { inside = 0 } inside' "$source/docs/install.md" >"$work/shown.c"
[ -s "$work/shown.c" ] || fail "docs/install.md shows no part of examples/routed_attention.c"
awk -v shown="$work/shown.c" '
  BEGIN { while ((getline line < shown) > 0) wanted = wanted line "\n" }
  { text = text $0 "\n" }
  END { exit index(text, wanted) == 0 }' "$source/examples/routed_attention.c" ||
  fail "what docs/install.md shows is not in examples/routed_attention.c"
