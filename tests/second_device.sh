#!/bin/sh
# second_device.sh TURNOUT: every op on another OpenCL implementation, rusticl on llvmpipe. Exit 77 where it is absent.
RUSTICL_ENABLE=llvmpipe
export RUSTICL_ENABLE
"$1" devices 2>/dev/null | grep -q llvmpipe || { echo "skipped: rusticl is not installed"; exit 77; }
TURNOUT_CACHE=off TURNOUT_TUNED=0 exec "$1" verify -d llvmpipe --cases 4 --seed 7 --quiet
