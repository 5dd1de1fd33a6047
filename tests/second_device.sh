#!/bin/sh
# second_device.sh TURNOUT IMPLEMENTATION [FOLDER]: every op on an OpenCL implementation, whatever else there is: pocl,
# rusticl (on llvmpipe), intel (Intel's run-time for CPUs, of the system or in FOLDER; in both styles). Exit 77 where
# it is absent.
turnout=$1 cases=4 kinds=own
absent() { # WHAT WHY
  echo "not held here: $1 ($2)"
  exit 77
}

shows() { # WORD: a device is listed with it
  "$turnout" devices 2>/dev/null | grep -q "$1"
}

case "$2" in
pocl)
  name="PoCL" platform="Portable Computing Language" device="Portable"
  shows "driver  $platform" || absent "$name" "pocl-opencl-icd is not installed"
  # The device that every suite took; no need to verify it once more.
  if "$turnout" verify --op gelu --cases 1 --quiet 2>/dev/null | grep -q Portable; then
    cases=0
  fi
  ;;
rusticl)
  name="rusticl" platform="rusticl" device="llvmpipe"
  RUSTICL_ENABLE=llvmpipe
  export RUSTICL_ENABLE
  [ -n "${TURNOUT_TEST_ALL:-}" ] || cases=2 # its compiler takes seconds for a kernel of attention
  shows llvmpipe || absent "$name" "mesa-opencl-icd is not installed, or shows no device with RUSTICL_ENABLE=llvmpipe"
  ;;
intel)
  name="Intel's CPU run-time" platform="Intel(R) OpenCL" device="Intel(R) OpenCL" cases=1 kinds="own gpu"
  if [ -d "$3/opencl" ]; then
    OCL_ICD_VENDORS=$3/opencl
    LD_LIBRARY_PATH=$(cat "$3/opencl/libraries")${LD_LIBRARY_PATH:-}
    export OCL_ICD_VENDORS LD_LIBRARY_PATH
  fi
  shows "driver  $platform," || absent "$name" "not installed; ./dev test --all fetches it"
  ;;
*)
  echo "second_device: no implementation '$2' is known"
  exit 1
  ;;
esac
version=$("$turnout" devices 2>/dev/null | sed -n "s/^ *driver  $platform, \([^ ]*\) (.*/\1/p" | head -n 1)
TURNOUT_CACHE=off TURNOUT_TUNED=0
export TURNOUT_CACHE TURNOUT_TUNED
for kind in $kinds; do # of the device itself, or as a GPU would run it
  [ "$kind" = own ] || export TURNOUT_KIND="$kind"
  [ $cases -eq 0 ] || "$turnout" verify -d "$device" --cases $cases --seed 7 --quiet || exit 1
done
echo "held here: $name${version:+ $version}"
