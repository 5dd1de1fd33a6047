#!/usr/bin/env python3
"""What the best router that sees only its surroundings needs on mqar: routed rows of one layer, as multiples of P, for
99 % of the queries.

A router is given what convolutions can tell it: whether a token is a key, the token before, the position as far as
`reach` positions from the start (taps 16: 15 in layer 1, 30 in layer 2, 45 in layer 3; 2·P + 4 taps: all pairs), and
whether the `reach` tokens before are pairs. That a key was there before only attention can tell. The router takes kinds
of rows in order of the share of queries among them, the last kind in part. By simulation, 600 sequences; seconds.
"""
import math
import random
from collections import defaultdict


def sequence(length, pairs, random_fillers):
    """Kinds of tokens (0 filler, 1 key, 2 value) and the queries of one sequence, drawn as host/tasks/mqar.c draws."""
    slots = (length - 2 * pairs) // 2
    wait = [-math.log(1 - random.random()) / (i + 1) ** (0.01 - 1) for i in range(slots)]
    query = [False] * length
    for slot in sorted(range(slots), key=lambda i: wait[i])[:pairs]:
        query[2 * pairs + 2 * slot] = True
    token = [1, 2] * pairs
    token += [1 + (random.random() < 0.5) if random_fillers else 0 for _ in range(length - 2 * pairs)]
    return [1 if q else t for q, t in zip(query, token)], query


def rows_needed(length, pairs, random_fillers, reach, sequences=600, share=0.99):
    rows, queries = defaultdict(int), defaultdict(int)
    for _ in range(sequences):
        token, query = sequence(length, pairs, random_fillers)
        for t in range(length):
            if token[t] == 1:
                before = tuple(token[t - i] for i in range(1, min(t, max(reach, 1)) + 1))
                in_pairs = all(kind == 2 - i % 2 for i, kind in enumerate(before))
                kind = ("at", t) if t <= reach else ("beyond", before[:1], in_pairs)
                rows[kind] += 1
                queries[kind] += query[t]
    left, needed = share * sequences * pairs, 0
    for kind in sorted(rows, key=lambda k: -queries[k] / rows[k]):
        if queries[kind] >= left:
            needed += rows[kind] * left / queries[kind]
            break
        needed += rows[kind]
        left -= queries[kind]
    return needed / (sequences * pairs)


random.seed(1)
reaches = (0, 15, 30, 45, 131)
print("| L, P | fillers | " + " | ".join(f"reach {r}" for r in reaches) + " |")
print("| --- | --- |" + " ---: |" * len(reaches))
for length, pairs in ((64, 4), (128, 8), (256, 16), (512, 64)):
    for fillers in ("zero", "random"):
        cells = (f"{rows_needed(length, pairs, fillers == 'random', r):.2f}" for r in reaches)
        print(f"| {length}, {pairs} | {fillers} | " + " | ".join(cells) + " |")
