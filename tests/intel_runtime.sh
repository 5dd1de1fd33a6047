#!/bin/sh
# intel_runtime.sh FOLDER: Intel's OpenCL run-time for CPUs from PyPI, unpacked into FOLDER (700 MB). After that
# OCL_ICD_VENDORS=FOLDER/opencl with the LD_LIBRARY_PATH in FOLDER/opencl/libraries show its device.
set -eu
[ "$(uname -m)" = x86_64 ] || { echo "intel_runtime: Intel has it for x86-64 alone"; exit 1; }
mkdir -p "$1/wheels"
folder=$(cd "$1" && pwd)
python3 -m pip download -q --no-deps -d "$folder/wheels" intel-opencl-rt intel-cmplr-lib-rt 'tbb==2023.*'
for wheel in "$folder"/wheels/*.whl; do
  python3 -m zipfile -e "$wheel" "$folder"
done
rm -rf "$folder/wheels"
find "$folder" -name 'libOpenCL.so*' -delete # the loader is the system's
library=$(find "$folder" -name libintelocl.so | head -n 1)
[ -n "$library" ] || { echo "intel_runtime: these packages hold no libintelocl.so"; exit 1; }
mkdir -p "$folder/opencl.new"
echo "$library" >"$folder/opencl.new/intel.icd"
find "$folder" -name '*.so*' -exec dirname {} + | sort -u | tr '\n' ':' >"$folder/opencl.new/libraries"
mv "$folder/opencl.new" "$folder/opencl" # last: this folder says that all is there
