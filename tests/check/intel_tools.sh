#!/bin/sh
# intel_tools.sh FOLDER: ocloc, Intel's offline compiler for its GPUs, out of Debian's packages (47 MB) and into FOLDER/usr.
# They are unpacked, never installed: installed, the driver's entry for the loader joins this machine's devices.
set -eu
if ! command -v apt-get >/dev/null || ! command -v dpkg >/dev/null; then
  echo "intel_tools: it is unpacked from Debian's packages, and this is another system"
  exit 1
fi
mkdir -p "$1/packages" "$1/unpacked"
folder=$(cd "$1" && pwd)
below=$(apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces --no-enhances \
  libigdfcl1 libigc1 | grep -oE '\<lib(opencl-clang|llvmspirvlib|clang-cpp|llvm)[0-9.]+\>' | sort -u)
# shellcheck disable=SC2086  # one word a package
(cd "$folder/packages" && apt-get download -q intel-opencl-icd libigc1 libigdfcl1 libigdgmm12 $below)
for package in "$folder"/packages/*.deb; do
  dpkg -x "$package" "$folder/unpacked"
done
mv "$folder/unpacked/usr" "$folder/usr" # last: this folder says that all is there
rm -rf "$folder/packages" "$folder/unpacked"
