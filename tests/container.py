#!/usr/bin/env python3
"""container.py SOURCE WORK: the image of packaging/container, built by Buildah (what podman builds with) on a bare Debian 12 that debootstrap makes
(with this machine's package sources), from an archive of HEAD: the program tells the commit, finds PoCL, verifies an op as root and as
nobody, and finds a driver that is passed in by its .icd and library. In changed roots, for containers
proper want more rights than some machines give. Root, Buildah and debootstrap; exit 77 without."""
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

source, work = (Path(path).resolve() for path in sys.argv[1:3])
for program in ["buildah", "debootstrap", "git"]:
    if not shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin"):
        print(f"skipped: {program} is not installed")
        sys.exit(77)
if os.getuid():
    print("skipped: debootstrap wants root")
    sys.exit(77)
buildah = ["buildah", "--root", str(work / "store"), "--runroot", str(work / "run")]


def run(*words, code=0, **named):
    done = subprocess.run(words, text=True, capture_output=True, **named)
    assert done.returncode == code, f"{' '.join(map(str, words))} ended with {done.returncode}: {done.stdout[-4000:]}{done.stderr[-4000:]}"
    return done.stdout


def inside(*words, options=(), code=0):
    return run(*buildah, "run", "--isolation=chroot", *options, "inside", "--", *words, code=code)


def base():
    """An image of a bare system, with the sources of packages that this one has."""
    apt, root = Path("/etc/apt"), work / "base"
    files = [*apt.glob("sources.list.d/*.sources"), *apt.glob("sources.list")]
    lines = [line for file in files for line in file.read_text().splitlines()]
    mirror = next(word for line in lines if line.startswith(("URIs:", "deb ")) for word in line.split() if "://" in word)
    run("debootstrap", "--variant=minbase", "bookworm", root, mirror, env={**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin"})
    (root / "etc/apt/sources.list").unlink(missing_ok=True)
    for file in [*files, *apt.glob("apt.conf.d/99*")]:
        shutil.copy(file, root / "etc/apt" / file.relative_to(apt))
    run(*buildah, "from", "--name", "bare", "scratch")
    run("cp", "-a", f"{root}/.", run(*buildah, "mount", "bare").strip())
    run(*buildah, "umount", "bare")
    run(*buildah, "commit", "bare", "localhost/bare")


def clean():
    if (work / "store").exists():
        subprocess.run([*buildah, "rm", "-a"], capture_output=True)
        subprocess.run([*buildah, "rmi", "-a", "-f"], capture_output=True)
        subprocess.run(["umount", "-q", work / "store/overlay"], capture_output=True)
    shutil.rmtree(work, ignore_errors=True)


clean()
work.mkdir(parents=True)
try:
    base()
    run("sh", "-c", 'git -C "$1" archive HEAD | (shift; "$@")', "sh", source, *buildah, "bud", "--isolation=chroot", "--network=host",
        "-t", "localhost/turnout", "--build-arg", "BASE=localhost/bare", "-f", "packaging/container/Containerfile", "-")
    run(*buildah, "from", "--name", "inside", "localhost/turnout")
    built = json.loads(inside("turnout", "--version", "--json"))
    head = run("git", "-C", source, "rev-parse", "HEAD").strip()
    assert built["commit"] == head and "dirty" not in built["version"], (built, head)
    first = inside("turnout", "devices").split("\n\n")[1].splitlines()[0]
    assert first.startswith("0:0"), first
    inside("turnout", "verify", "--op", "gelu", "--cases", "3")
    inside("/entry.sh", "verify", "--op", "gelu", "--cases", "3", options=["--user", "65534:65534"])
    # A driver from outside: nothing but what is passed in, at a place that the image does not have.
    (work / "driver").mkdir()
    (work / "vendors").mkdir()
    (work / "vendors/outside.icd").write_text("/driver/libpocl.so.2\n")
    inside("sh", "-c", "cp -rL /usr/lib/*/libpocl.so.2 /usr/lib/*/pocl /driver/", options=["-v", f"{work}/driver:/driver"])
    options = ["-v", f"{work}/vendors:/etc/OpenCL/vendors:ro"]
    passed = inside("turnout", "devices", options=[*options, "-v", f"{work}/driver:/driver:ro"])
    assert first in passed, (first, passed)
    inside("turnout", "devices", options=options, code=3)  # its library is not there
    print(f"the image says {built['version']}, and its program is right with its own driver and with one from outside")
finally:
    clean()
