#!/bin/sh
# build_text.sh SOURCE WORK BUILD: what a build says it was built from (host/base/build_text.cmake): in a clean working
# tree, an edited one, an archive, somebody else's repository, and files alone. Exit 77 where there is no git.
set -eu
source=$1 work=$2 build=$3
command -v git >/dev/null || { echo "skipped: git is not installed"; exit 77; }
fail() {
  echo "build_text.sh: $*" >&2
  exit 1
}
rm -rf "$work"
mkdir -p "$work/tree/packaging" "$work/tree/host"
cd "$work"
# says FOLDER: the version that a build in it would have
says() {
  cmake -DSOURCE="$1" -DRELEASE=9.8.7 -DOUTPUT="$work/text.h" -P "$source/host/base/build_text.cmake" >"$work/log" 2>&1 ||
    fail "the script failed: $(cat "$work/log")"
  sed -n 's/^#define TN_BUILD_VERSION "\(.*\)"$/\1/p' "$work/text.h"
}
# expect WANTED GOT WHERE
expect() {
  [ "$1" = "$2" ] || fail "$3: '$2', not '$1'"
}
record() { # in tree
  git -C tree -c user.name=test -c user.email=test@example.org "$@"
}

cp "$source/packaging/commit.txt" tree/packaging/
cp "$source/.gitattributes" tree/
echo one >tree/host/file
echo one >tree/document
expect 9.8.7 "$(says "$work/tree")" "files alone"
record init -q
record add .
expect 9.8.7 "$(says "$work/tree")" "a repository without a commit"
grep -q "git does not tell" log || fail "nothing says why there is no commit"
record commit -qm one
hash=$(git -C tree rev-parse HEAD)
clean=9.8.7+g$(echo "$hash" | cut -c 1-12)
expect "$clean" "$(says "$work/tree")" "a clean tree"
grep -q "TN_BUILD_COMMIT \"$hash\"" text.h || fail "the whole commit is not told"
touch -d 2001-01-01 text.h
expect "$clean" "$(says "$work/tree")" "a clean tree again"
[ -z "$(find text.h -newermt 2002-01-01)" ] || fail "a header that says the same was written again"
touch tree/host/file tree/untracked
expect "$clean" "$(says "$work/tree")" "a tree with a file that git does not know"
grep -q 'TN_BUILD_DIRTY (0)' text.h || fail "a clean tree is not told to be one"

echo two >tree/document
expect "$clean-dirty" "$(says "$work/tree")" "a tree whose document is edited"
grep -q 'TN_BUILD_DIRTY (1)' text.h || fail "a tree whose document is edited is not told to be edited"
touch -d 2001-01-01 text.h
echo three >tree/document
expect "$clean-dirty" "$(says "$work/tree")" "a tree whose document is edited again"
[ -z "$(find text.h -newermt 2002-01-01)" ] || fail "editing a document builds programs anew"
echo one >tree/document

echo two >tree/host/file
edited=$(says "$work/tree")
case $edited in "$clean"-dirty.????????) ;; *) fail "an edited tree: '$edited'" ;; esac
grep -q 'TN_BUILD_DIRTY (1)' text.h || fail "an edited tree is not told to be one"
echo two >tree/document
expect "$edited" "$(says "$work/tree")" "the same edit, and a document's"
echo one >tree/document
record add host/file
expect "$edited" "$(says "$work/tree")" "the same edit, staged"
echo three >tree/host/file
[ "$(says "$work/tree")" != "$edited" ] || fail "two edits are told as one build"
record commit -qam two
second=9.8.7+g$(git -C tree rev-parse HEAD | cut -c 1-12)
expect "$second" "$(says "$work/tree")" "the next commit"
[ "$second" != "$clean" ] || fail "two commits are told as one"
# A build that a hook of another repository starts
expect "$second" "$(GIT_DIR=/nonexistent GIT_INDEX_FILE=/nonexistent says "$work/tree")" "with GIT_DIR set"

mkdir archive
git -C tree archive HEAD | tar -x -C archive
expect "$second" "$(says "$work/archive")" "an archive"
grep -q 'TN_BUILD_DIRTY (-1)' text.h || fail "whether an archive was edited is not known"
# Unpacked within somebody else's working tree, it is not of their commit.
git -C tree archive --prefix=inner/ HEAD | tar -x -C tree
expect "$second" "$(says "$work/tree/inner")" "an archive within a repository"

# The program tells what the last build found.
expect "$(sed -n 's/^#define TN_BUILD_VERSION "\(.*\)"$/\1/p' "$build/host/build/build_text.h")" \
  "$("$build/turnout" --version | sed -n 's/^turnout //p')" "the program"
