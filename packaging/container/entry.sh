#!/bin/sh
# The program, in an image: whose home cannot be written (podman run --user …) has a folder for built kernels all the same,
# without which PoCL shows no device.
if ! [ -w "${HOME:-/nonexistent}" ]; then
  XDG_CACHE_HOME=/tmp/cache-$(id -u)
  mkdir -p "$XDG_CACHE_HOME"
  export XDG_CACHE_HOME
fi
exec turnout "$@"
