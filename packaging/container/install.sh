#!/bin/sh
# install.sh DRIVER…: beside the Debian package that build.sh made, as root, in a container: installs it with these
# packages of OpenCL drivers, and leaves nothing else.
set -eu
cd "$(dirname "$0")"
apt-get update -q
DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends ./turnout_*.deb "$@"
cp entry.sh /entry.sh
rm -rf /var/lib/apt/lists/* "$PWD"
turnout --version
