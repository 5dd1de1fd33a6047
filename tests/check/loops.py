"""What the loops of a listing are made of: the same for every vendor's assembly."""
import collections
import re

LEAST_MULTIPLY_ADDS = 32  # of a loop that counts as hot


class Loop:
    """A loop with no other inside: how many instructions, and how many of each kind."""

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
    to or None. The loops that hold no other loop and LEAST_MULTIPLY_ADDS or more, most multiply-adds first."""
    spans = set()
    for i, (opcode, operands) in enumerate(code):
        target = labels.get(target_of(opcode, operands))
        if target is not None and target <= i:
            spans.add((target, i))
    inner = [s for s in spans if not any(o != s and s[0] <= o[0] and o[1] <= s[1] for o in spans)]
    loops = [Loop([kind_of(*c) for c in code[first:last + 1]]) for first, last in sorted(inner)]
    hot = [loop for loop in loops if loop.multiply_adds >= LEAST_MULTIPLY_ADDS]
    return sorted(hot, key=lambda loop: -loop.multiply_adds)


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
