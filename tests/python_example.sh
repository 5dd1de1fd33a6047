#!/bin/sh
# python_example.sh SOURCE LIBRARY: examples/routed_attention.py through the shared library. Exit 77 where no Python has
# numpy (Debian: python3-numpy).
set -eu
for python in "${TURNOUT_PYTHON:-python3}" python3 /usr/bin/python3; do
  if "$python" -c 'import numpy' 2>/dev/null; then
    exec "$python" "$1/examples/routed_attention.py" "$2"
  fi
done
echo "skipped: no Python here has numpy"
exit 77
