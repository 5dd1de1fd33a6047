#!/bin/sh
# with_kernels.sh POOL COMMAND…: runs COMMAND with the kernels that PoCL built for other suites, and leaves in POOL those
# that it built itself. While it runs it has a cache folder of its own ($POCL_CACHE_DIR), links to the same files: PoCL's
# cache has crashed with several processes in it.
pool=$1
shift

exchange() { # FROM TO: what is there already stays
    mkdir -p "$1" "$2" && flock "$pool.lock" cp -Rln "$1/." "$2"
}

exchange "$pool" "$POCL_CACHE_DIR" || exit 1
"$@"
code=$?
rm -f "$POCL_CACHE_DIR"/tempfile* # of processes that were killed
exchange "$POCL_CACHE_DIR" "$pool" || exit 1
exit $code
