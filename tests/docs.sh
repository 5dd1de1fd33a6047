#!/bin/sh
# docs.sh: every link of the documents leads somewhere, and every file that they name is there.
set -eu
cd "$(dirname "$0")/.."
failed=0
complain() {
    echo "$1" >&2
    failed=1
}
count=0
for page in README.md CONTRIBUTING.md docs/*.md host/model/README.md reports/baselines/README.md bench/peers/README.md packaging/*/README.md; do
    folder=$(dirname "$page")
    for target in $(grep -o '](\([^)#]*\)[^)]*)' "$page" | sed 's/^](//; s/[#)].*$//' | grep -v '^[a-z]*:' | sort -u); do
        count=$((count + 1))
        [ -e "$folder/$target" ] || complain "$page: the link to $target leads nowhere"
    done
    [ "$page" = docs/log.md ] && continue # which tells of what was
    # Words in backticks that begin with a folder of the tree. foo is the op that docs/extending.md invents.
    for named in $(grep -o '`[^` ]*`' "$page" | tr -d '`' |
        grep -E '^(kernels|host|bench|reports|study|survey|cli|docs|examples|packaging|tests)/' | sed 's/[:,].*//' |
        grep -v '[<>*{…]\|foo' | sort -u); do
        count=$((count + 1))
        [ -e "$named" ] || complain "$page names $named, and there is none"
    done
done
[ $count -gt 40 ] || complain "only $count links and files were looked at"
exit $failed
