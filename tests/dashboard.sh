#!/bin/sh
# dashboard.sh MAKE_REPORT DATA OUT looks|speed: looks at a report as a reader's browser does, or clocks how long one takes
# to open. Exit 77 where there is no browser.
for need in python3 chromium; do
  command -v "$need" >/dev/null || { echo "skipped: $need is not installed"; exit 77; }
done
exec python3 "$(dirname "$0")/dashboard.py" "$@"
