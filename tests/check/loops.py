"""What the loops of a listing are made of: the same for every vendor's assembly."""
import collections
import re

BARRIERS = ("BAR", "s_barrier")
LEAST_MULTIPLY_ADDS = 16  # of a loop that counts as hot


class Loop:
    """What a loop executes itself, without the loops inside it, or of that a stretch from barrier to barrier: how many
    instructions, and how many of each kind."""

    def __init__(self, kinds):
        self.size = len(kinds)
        self.count = collections.Counter(kinds)
        self.multiply_adds = self.count["fma"]

    @property
    def share(self):
        return self.multiply_adds / self.size

    def of(self, prefix):
        return sum(n for kind, n in self.count.items() if kind.startswith(prefix))

    def facts(self):
        return {"size": self.size, "share": round(100 * self.share, 1),
                "count": dict(sorted(self.count.items()))}


def loops_of(code, labels, target_of, kind_of):
    """code: (opcode, operands) of a kernel; labels: name -> index in it; target_of: the label that an instruction jumps
    to or None. The stretches of loops with LEAST_MULTIPLY_ADDS or more, most of them first."""
    end_of = {}  # where a loop begins -> its last jump back
    for i, (opcode, operands) in enumerate(code):
        target = labels.get(target_of(opcode, operands))
        if target is not None and target <= i:
            end_of[target] = i
    inside = [None] * len(code)  # of each instruction the innermost loop, by where it begins
    for first, last in sorted(end_of.items(), key=lambda loop: loop[0] - loop[1]):  # long ones first
        for i in range(first, last + 1):
            inside[i] = first
    own = {}
    for i, first in enumerate(inside):
        if first is not None:
            own.setdefault(first, []).append(kind_of(*code[i]))
    stretches = [kinds for body in own.values() for kinds in between_barriers(body)]
    hot = [loop for loop in map(Loop, stretches) if loop.multiply_adds >= LEAST_MULTIPLY_ADDS]
    return sorted(hot, key=lambda loop: -loop.multiply_adds)


def between_barriers(kinds):
    """A loop of one barrier is one stretch: behind its end comes its beginning."""
    barriers = [i for i, kind in enumerate(kinds) if kind in BARRIERS]
    if len(barriers) < 2:
        return [kinds]
    inner = [kinds[first:last] for first, last in zip(barriers, barriers[1:])]
    return [*inner, kinds[barriers[-1]:] + kinds[:barriers[0]]]


def read_listing(lines, label_pattern, code_pattern):
    """Labels and instructions, in order."""
    code, labels = [], {}
    for line in lines:
        found = re.match(label_pattern, line)
        if found:
            labels[found[1]] = len(code)
            continue
        found = re.search(code_pattern, line)
        if found:
            code.append((found[1], found[2]))
    return code, labels
