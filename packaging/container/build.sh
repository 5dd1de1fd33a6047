#!/bin/sh
# build.sh: on a bare Debian 12, as root, in a container: the packages that the build needs, the build of the tree that
# this file lies in, and in /package the Debian package with the scripts that install and start it.
set -eu
source=$(cd "$(dirname "$0")/../.." && pwd)

apt-get update -q
DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends gcc libc6-dev cmake ninja-build pkg-config \
  ocl-icd-opencl-dev opencl-headers libclblast-dev libhwloc-dev libjansson-dev libcsv-dev librandom123-dev libxxhash-dev \
  libsqlite3-dev libjs-chart.js dpkg-dev file
# The compiler's warnings are for who writes the code.
cmake -G Ninja -S "$source" -B /build -DCMAKE_BUILD_TYPE=Release -DCMAKE_INSTALL_PREFIX=/usr -DBUILD_TESTING=OFF -DTN_WERROR=OFF
cmake --build /build
(cd /build && cpack --config CPackConfig.cmake -B /package)
rm -rf /package/_CPack_Packages
cp "$source/packaging/container/install.sh" "$source/packaging/container/entry.sh" /package/
