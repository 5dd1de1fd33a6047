#!/usr/bin/env python3
"""slurm.py TURNOUT SCRIPT: the array script on a real slurmctld and slurmd, here, in a folder that is removed. Of its tasks
one is killed and requeued, one preempted, and one told that its time is up: the rows of all are the grid's, each once, and
those that were there before stand as they were. Exit 77 where SLURM is not installed."""
import collections
import csv
import getpass
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

TASKS = 4
GRID = ["--level=layer", "--T=64,96,128", "--batch=2", "--rho=0,0.2,0.4,0.6,0.8,1", "--pass=forward", "--seconds=0.3",
        "--energy=off"]
KEY = ["level", "op", "pass", "mixer", "B", "T", "D", "H", "K", "rho", "schedule"]

turnout, script = (os.path.abspath(path) for path in sys.argv[1:3])
environment = dict(os.environ, PATH=os.environ["PATH"] + ":/usr/sbin:/sbin")
for tool in ("slurmctld", "slurmd", "sbatch", "srun", "scontrol"):
    if not shutil.which(tool, path=environment["PATH"]):
        print(f"skipped: {tool} is not installed (Debian: slurmctld slurmd slurm-client)")
        sys.exit(77)

folder = tempfile.mkdtemp(prefix="turnout-slurm-")
results = f"{folder}/results"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def configure():
    user, host = getpass.getuser(), socket.gethostname().split(".")[0]
    for name in ["state", "spool", "results"]:
        os.mkdir(f"{folder}/{name}")
    for i in range(TASKS):
        open(f"{folder}/gpu{i}", "w").close()
    with open(f"{folder}/gres.conf", "w") as f:
        f.write(f"AutoDetect=off\nName=gpu File={folder}/gpu[0-{TASKS - 1}]\n")
    with open(f"{folder}/slurm.conf", "w") as f:
        f.write(f"""ClusterName=test
SlurmctldHost=localhost
SlurmctldPort={free_port()}
SlurmdPort={free_port()}
AuthType=auth/none
CredType=cred/none
SlurmUser={user}
SlurmdUser={user}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
GresTypes=gpu
MpiDefault=none
ReturnToService=2
SlurmdParameters=config_overrides
KillWait=10
NodeName={host} NodeAddr=127.0.0.1 CPUs={TASKS} Gres=gpu:{TASKS} State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
""")
    environment["SLURM_CONF"] = f"{folder}/slurm.conf"
    environment["OUT"], environment["TURNOUT"] = results, turnout
    return host


def run(*words, may_fail=False):
    done = subprocess.run(words, env=environment, cwd=folder, capture_output=True, text=True, timeout=120)
    if done.returncode and not may_fail:
        raise SystemExit(f"{' '.join(words)} ends with {done.returncode}: {done.stderr}{done.stdout}")
    return done.stdout


def wait(what, seconds, found):
    end = time.time() + seconds
    while time.time() < end:
        value = found()
        if value:
            return value
        time.sleep(0.1)
    raise SystemExit(f"waited {seconds} s in vain for {what}\n{logs()}")


def logs():
    text = ""
    for name in sorted(os.listdir(folder)):
        if name.endswith(".log") or name.endswith(".out"):
            with open(f"{folder}/{name}", errors="replace") as f:
                text += f"== {name}\n" + f.read()[-1500:]
    return text


def cells(*options):
    shown = run(turnout, "sweep", *GRID, "--dry-run", "--json", "--quiet", *options)
    return [key_of(cell) for cell in json.loads(shown)["cells"]]


def number(value):
    """As the CSV writes it; a word stays."""
    if value is None or value == "" or (isinstance(value, str) and not value[0].isdigit()):
        return value or ""
    return "%.6g" % float(value)


def key_of(row):
    key = [number(row[name]) for name in KEY]
    key[-1] = row["schedule"] if row["schedule"] in ("masked", "block-skipping") else ""
    return tuple(key)


def file_of(task):
    return f"{results}/cost-{task}-of-{TASKS}.csv"


def rows_of(path):
    """Whole lines behind the header."""
    try:
        with open(path) as f:
            return [line for line in f if line.endswith("\n")][1:]
    except FileNotFoundError:
        return []


def under_way(task):
    """Its rows, once there is one and before it has all."""
    return wait(f"a row of task {task}", 120, lambda: rows_of(file_of(task) + ".part"))


def state(task):
    return dict(word.split("=", 1) for word in run("scontrol", "show", "job", f"{job}_{task}").split() if "=" in word)


def all_ended():
    """SLURM lets a requeued job wait for two minutes; seconds are enough for its node to forget that it was ended."""
    waiting = run("squeue", "-h", "-o", "%A %T %r").splitlines()
    for line in waiting:
        of, now, reason = line.split()[:3]
        if now != "PENDING" or reason != "BeginTime":
            pending.pop(of, None)
        elif time.time() > pending.setdefault(of, time.time()) + 5:
            del pending[of]
            run("scontrol", "update", f"jobid={of}", "StartTime=now", may_fail=True)
    return not waiting


def kill_process(task):
    """The sweep of a task, hard."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                words = f.read().decode(errors="replace").split("\0")
        except OSError:
            continue
        if words[0] == turnout and f"{task}/{TASKS}" in words and file_of(task) in words:
            os.kill(int(pid), signal.SIGKILL)
            return True
    return False


def check(before):
    found = collections.Counter()
    for task in range(1, TASKS + 1):
        with open(file_of(task), newline="") as f:
            for row in csv.DictReader(f):
                assert row["shard"] == f"{task}/{TASKS}", row
                assert row["status"] == "ok", row
                found[key_of(row)] += 1
        lines = rows_of(file_of(task))
        for line in before.get(task, []):
            assert line in lines, f"task {task} lost or measured again: {line}"
        assert not os.path.exists(file_of(task) + ".part")
    want = collections.Counter(cells())
    assert max(want.values()) == 1 and len(want) > 20, want
    assert found == want, f"missing {want - found}, too many {found - want}"
    done = subprocess.run([turnout, "report", results, "--table", "--format", "csv"], env=environment, capture_output=True, text=True)
    assert done.returncode == 0 and "no row of shard" not in done.stderr, done.stderr
    curves = [row for row in csv.DictReader(done.stdout.splitlines()) if row["execution"] == "compacted"]
    assert len(curves) == 3, done.stdout  # one a length, with points of all parts


daemons = []
job = None
pending = {}  # job: since when
try:
    host = configure()
    for words in (["slurmctld", "-D", "-c"], ["slurmd", "-D", "-N", host]):
        log = open(f"{folder}/{words[0]}.out", "w")
        daemons.append(subprocess.Popen(words, env=environment, cwd=folder, stdout=log, stderr=log))
    wait("the node to be up", 60, lambda: "idle" in run("sinfo", "-h", "-o", "%T", may_fail=True))
    job = run("sbatch", "--parsable", script, *GRID).strip()
    largest = sorted(range(1, TASKS + 1), key=lambda task: -len(cells(f"--shard={task}/{TASKS}")))
    killed, preempted, late = largest[:3]
    before = {task: under_way(task) for task in (killed, preempted, late)}
    assert kill_process(killed), "no process of the task was found"
    run("scontrol", "requeue", f"{job}_{preempted}")
    run("scancel", "--signal=TERM", f"{job}_{late}")  # to the steps, as at the end of the time
    wait("the killed task to have failed", 60, lambda: state(killed)["JobState"] == "FAILED")
    run("scontrol", "requeue", f"{job}_{killed}")
    wait("all tasks to end", 240, all_ended)
    ends = {task: state(task) for task in range(1, TASKS + 1)}
    how = {task: (end["JobState"], int(end["Restarts"])) for task, end in ends.items()}
    assert all(end == "COMPLETED" for end, _ in how.values()), f"{how}\n{logs()}"
    assert all(how[task][1] >= 1 for task in before), how
    check(before)
    print(f"{TASKS} tasks, three of them stopped and gone on: {len(cells())} rows, none missing, none twice")
finally:
    if job:
        run("scancel", job, may_fail=True)
    for daemon in reversed(daemons):
        daemon.terminate()
        try:
            daemon.wait(15)
        except subprocess.TimeoutExpired:
            daemon.kill()
            daemon.wait()
    shutil.rmtree(folder, ignore_errors=True)
