"""What is to be built: asked of the program check_builds, which makes the plans of every variant (builds.c)."""
import collections
import os
import re

from tools import run

Use = collections.namedtuple("Use", "op variant style passed set chosen size shape group")


class Build:
    """A kernel file with its options, and who launches which of its kernels."""

    def __init__(self, file, options, source):
        self.file, self.options, self.source = file, options, source
        self.uses = collections.defaultdict(list)  # kernel -> [Use]

    @property
    def short_options(self):
        return self.options.replace("-cl-std=CL1.2", "").replace("-D", "").strip()

    def at_defaults(self, kernel=None):
        return any(use.set == "default" for name, uses in self.uses.items() if kernel in (None, name) for use in uses)

    def is_default(self, kernel):
        """Does a GPU run it when nobody has asked for anything, or a variant that is written for GPUs?"""
        return any(use.set == "default" and (use.chosen or use.style == "groups") for use in self.uses[kernel])

    def group(self, kernel):
        """The largest work-group that it is launched with."""
        return max(use.group for use in self.uses[kernel])

    def ops(self):
        return {use.op for uses in self.uses.values() for use in uses}


class Listing:
    def __init__(self, program, folder, ops):
        os.makedirs(folder, exist_ok=True)
        builds = {}
        self.never_fitted = []
        for line in run([program, folder, *ops]).splitlines():
            kind, *fields = line.split("\t")
            if kind == "none":
                self.never_fitted.append("/".join(fields[:2]))
                continue
            *use, file, options, kernel, group = fields
            key = (file, options)
            if key not in builds:
                with open(os.path.join(folder, file + ".cl"), encoding="utf-8") as source:
                    builds[key] = Build(file, options, source.read())
            use[5] = use[5] == "1"
            builds[key].uses[kernel].append(Use(*use, int(group)))
        natural = [(key[0], [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", key[1])], key) for key in builds]
        self.builds = [builds[key] for _, _, key in sorted(natural)]
