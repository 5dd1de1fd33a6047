#!/bin/sh
# exports.sh SOURCE BUILD WORK: libturnout.so gives what the public headers declare and nothing else. The headers are read
# through the preprocessor here, not as packaging/exports.cmake reads them. Exit 77 where there is no nm or compiler.
set -eu
source=$1 build=$2 work=$3
for tool in nm cc; do
  command -v $tool >/dev/null || { echo "skipped: $tool is not installed"; exit 77; }
done
mkdir -p "$work"
cd "$work"

# differ LIBRARY: what it gives beside the headers, or they beside it; none: no output
differ() {
  nm -D --defined-only "$1" | awk '{ sub(/@.*/, "", $3) } $2 != "A" { print $3 }' | sort -u >given
  comm -3 declared given
}
host=$source/host
# -P: without lines of where a text comes from; what follows "extern" or stands before "(" is declared
cc -E -P -x c -I"$host/base" -I"$host/cl" -I"$host/ops" -I"$host/model" "$build/packaging/turnout.h" >text
{
  grep -o 'tn_[a-z0-9_]* *(' text | tr -d ' ('
  grep -o 'extern [^;(]*;' text | sed -n 's/.*[ *]\(tn_[a-z0-9_]*\)[^ ]*;/\1/p'
} | sort -u >declared
[ "$(wc -l <declared)" -gt 100 ] || { echo "exports.sh: the headers declare next to nothing"; exit 1; }

differ "$build/packaging/libturnout.so" >differences
if [ -s differences ]; then
  echo "exports.sh: declared and not given, or (indented) given and not declared:"
  cat differences
  exit 1
fi
nm -D --defined-only "$build/packaging/libturnout.so" | awk '$2 != "A"' | grep -v '@@TURNOUT_' &&
  { echo "exports.sh: these have no version"; exit 1; }
# And it would be found: a library with one more, and one without them.
echo 'int tn_nobody_declares_this(void); int tn_nobody_declares_this(void) { return 0; }' |
  cc -shared -fPIC -x c - -o libmore.so
differ ./libmore.so | grep -q '^	tn_nobody_declares_this$' || { echo "exports.sh: it does not find what is too much"; exit 1; }
differ ./libmore.so | grep -q '^tn_buffer_create$' || { echo "exports.sh: it does not find what is missing"; exit 1; }
