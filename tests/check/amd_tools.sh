#!/bin/sh
# amd_tools.sh FOLDER: clang 19 and its libclc out of Debian's packages (51 MB) and into FOLDER/usr. The clang 15 that
# kernels for NVIDIA are built with gives an item of gfx1100 no more than 128 of its 256 registers, and spills the rest.
# They are unpacked, never installed: installed, its libclc takes the place of the one that rusticl needs.
set -eu
if ! command -v apt-get >/dev/null || ! command -v dpkg >/dev/null; then
  echo "amd_tools: it is unpacked from Debian's packages, and this is another system"
  exit 1
fi
mkdir -p "$1/packages" "$1/unpacked"
folder=$(cd "$1" && pwd)
(cd "$folder/packages" && apt-get download -q clang-19 libclang-cpp19 libllvm19 libclang-common-19-dev libclc-19)
for package in "$folder"/packages/*.deb; do
  dpkg -x "$package" "$folder/unpacked"
done
mv "$folder/unpacked/usr" "$folder/usr" # last: this folder says that all is there
rm -rf "$folder/packages" "$folder/unpacked"
