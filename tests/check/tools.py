"""Outside programs: finding them, running them, and keeping what they said."""
import functools
import os
import shutil
import subprocess


class Failed(Exception):
    """A program said no; the text is what it said."""


def first_of(*names):
    """The path of the first that is there, else None."""
    for name in names:
        path = shutil.which(name)
        if path:
            return path
    return None


def run(words, **more):
    """What it prints, errors behind; raises Failed where it does not end with 0."""
    done = subprocess.run(words, capture_output=True, text=True, errors="replace", check=False, **more)
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip().split("\n")
        errors = [line for line in said if "error" in line or "fatal" in line]
        raise Failed(f"{os.path.basename(words[0])}: " + (errors or said or ["it crashed"])[0][:300])
    return done.stdout + done.stderr


@functools.lru_cache(maxsize=None)
def version_of(path):
    return subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout
