#!/usr/bin/env python3
"""soak.py TURNOUT SECONDS [SEED]: training, sweeps and evaluations in a loop, killed at random moments by SIGKILL,
SIGTERM or SIGINT and gone on with. In the end every training has the bits and every sweep the rows of one that
was left alone, an evaluation its figures; nobody exits in an unexpected way; memory does not grow with steps.
"""
import csv
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

TRAIN = ["train", "--distance=14", "--steps=60", "--phase1=20", "--batch=4", "--layers=2", "--width=32",
         "--sequences=4", "--checkpoint-every=7", "--log-every=5", "-q"]
SWEEP = ["sweep", "--level=op,layer", "--op=gelu,row_gather,rope", "--T=64", "--batch=1", "--rho=0,0.5",
         "--pass=forward", "--seconds=0.01", "-q"]
FEW, MANY = 100, 1500  # steps between which memory may not grow
KEYS = ["level", "op", "pass", "mixer", "B", "T", "D", "rho", "schedule", "status"]


class Soak:
    def __init__(self, program, seed):
        self.program = program
        self.random = random.Random(seed)
        self.folder = tempfile.mkdtemp(prefix="turnout-soak-")
        self.counts = {"runs": 0, "kills": 0, "finished": 0}

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def start(self, words, out=subprocess.PIPE):
        with open(self.path("log"), "w") as log:
            return subprocess.Popen([self.program] + words, stdout=out, stderr=log, text=True)

    def run(self, words, kill_within=None):
        """Exit code and stdout; the code is negative where a signal of ours ended it."""
        self.counts["runs"] += 1
        child = self.start(words)
        number = self.random.choice([signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
        if kill_within is not None:
            try:
                child.wait(self.random.uniform(0, kill_within))
            except subprocess.TimeoutExpired:
                child.send_signal(number)
                self.counts["kills"] += 1
            else:
                number = None
        else:
            number = None
        out, _ = child.communicate(timeout=600)
        code = child.returncode
        allowed = {0} if number is None else {0, 3, -number}
        if code not in allowed:
            with open(self.path("log")) as log:
                sys.exit(f"FAILED: turnout {' '.join(words)} ends with {code} after {number}: {log.read()}")
        return code, out

    def until_finished(self, words_of, longest):
        """Starts the command, kills it, goes on, until it ends by itself."""
        while True:
            code, out = self.run(words_of(), self.random.uniform(0, longest))
            if code == 0:
                self.counts["finished"] += 1
                return out

    def train(self, name, killed, seconds):
        run = self.path(name)
        shutil.rmtree(run, ignore_errors=True)

        def words():
            if os.path.exists(os.path.join(run, "state.safetensors")):
                return ["train", "--resume", "-q", "-o", run]
            shutil.rmtree(run, ignore_errors=True)
            return TRAIN + ["-o", run]

        if killed:
            self.until_finished(words, seconds)
        else:
            self.run(words())
        with open(os.path.join(run, "model.safetensors"), "rb") as file:
            return file.read()

    def sweep(self, name, killed, seconds):
        rows = self.path(name + ".csv")
        if os.path.exists(rows):
            os.unlink(rows)
        words = SWEEP + ["-o", rows]
        if killed:
            self.until_finished(lambda: words, seconds)
        else:
            self.run(words)
        with open(rows, newline="") as file:
            return sorted(tuple(row[key] for key in KEYS) for row in csv.DictReader(file))

    def evaluate(self, killed, seconds):
        words = ["eval", self.path("golden"), "--sequences=8", "--json", "-q"]
        out = self.until_finished(lambda: words, seconds) if killed else self.run(words)[1]
        figures = json.loads(out)
        return tuple(figures[key] for key in ("accuracy", "cross_entropy", "attention_pct", "status"))

    def peak(self, steps):
        """Largest resident size in KiB of a training of so many steps."""
        run = self.path("peak")
        shutil.rmtree(run, ignore_errors=True)
        words = [word for word in TRAIN if not word.startswith("--steps")] + [f"--steps={steps}", "-o", run]
        child = self.start(words, subprocess.DEVNULL)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = 0
        if status != 0:
            sys.exit(f"FAILED: a training of {steps} steps ends with {status}")
        return usage.ru_maxrss


def main():
    program, seconds = os.path.abspath(sys.argv[1]), float(sys.argv[2])
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else time.time_ns() % 10**9
    print(f"seed {seed}", flush=True)
    soak = Soak(program, seed)
    work = {
        "train": lambda killed, s: soak.train("run" if killed else "golden", killed, s),
        "sweep": lambda killed, s: soak.sweep("rows" if killed else "alone", killed, s),
        "eval": soak.evaluate,
    }
    golden, usual = {}, {}
    for name, run in work.items():
        run(False, 0)  # builds the kernels
        start = time.monotonic()
        golden[name] = run(False, 0)
        usual[name] = time.monotonic() - start
    soak.peak(MANY)  # a compiler takes memory, too
    few, many = soak.peak(FEW), soak.peak(MANY)
    if many > 1.1 * few + 8192:
        sys.exit(f"FAILED: {MANY} steps take {many} KiB, {FEW} steps {few}")
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for name, run in work.items():
            if run(True, 1.5 * usual[name]) != golden[name]:
                sys.exit(f"FAILED: a killed {name} ends otherwise than one that was left alone: {soak.folder}")
    shutil.rmtree(soak.folder)
    print(f"{soak.counts['runs']} runs, {soak.counts['kills']} killed, {soak.counts['finished']} finished as one that "
          f"was left alone; {few} KiB at {FEW} steps, {many} at {MANY}")


main()
