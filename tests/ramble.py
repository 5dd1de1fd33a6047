#!/usr/bin/env python3
"""ramble.py TURNOUT APPLICATION COSTS: the Ramble application by itself, with recorders in place of Ramble's directives: what
it names is there, its commands are the program's, and its figures of merit are found in what the program prints. Ramble is in
no package registry, so it does not run here."""
import re
import subprocess
import sys
import types

turnout, application, costs = sys.argv[1:4]
calls = {}


def recorder(name):
    def directive(*words, **named):
        calls.setdefault(name, []).append((words, named))
    return directive


appkit = types.ModuleType("ramble.appkit")
for directive in ["tags", "maintainers", "software_spec", "executable", "workload", "workload_variable", "figure_of_merit_context",
                  "figure_of_merit", "success_criteria"]:
    setattr(appkit, directive, recorder(directive))
appkit.ExecutableApplication = type("ExecutableApplication", (), {})
appkit.OUTPUT_CAPTURE = types.SimpleNamespace(STDOUT=1, STDERR=2, ALL=3)
appkit.__all__ = [name for name in dir(appkit) if not name.startswith("__")]
sys.modules["ramble"] = types.ModuleType("ramble")
sys.modules["ramble.appkit"] = appkit
with open(application) as f:
    exec(compile(f.read(), application, "exec"), {})


def run(*words):
    return subprocess.run([turnout, *words], capture_output=True, text=True, timeout=120)


executables = {words[0]: (words[1], named) for words, named in calls["executable"]}
variables = {}
for words, named in calls["workload_variable"]:
    variables.setdefault(named["workload"], {})[words[0]] = named["default"]
assert len(executables) == 3 and len(calls["workload"]) == 2, calls
for words, named in calls["workload"]:
    for name in named["executables"]:
        template, how = executables[name]
        for used in re.findall(r"\{(.*?)\}", template + how.get("redirect", "")):
            assert used in variables[words[0]] or used == "experiment_run_dir", f"{name} of {words[0]} uses {{{used}}}"
        command = re.search(r"turnout (\w+)", template).group(1)
        known = run("help", command)
        assert known.returncode == 0, known.stderr
        whole = template
        for variable, default in variables[words[0]].items():
            whole = whole.replace(f"{{{variable}}}", default)
        for option in re.findall(r"--[a-z-]+", whole):
            assert option in known.stdout, f"turnout {command} has no {option}"

table = run("report", costs, "--table", "--format", "csv")
assert table.returncode == 0, table.stderr
for words, named in calls["figure_of_merit"]:
    rows = [re.match(named["fom_regex"], line) for line in table.stdout.splitlines()]
    values = [row.group(named["group_name"]) for row in rows if row]
    assert len(values) == table.stdout.count("compacted"), (values, table.stdout)
    contexts = {context[0][0]: context for context in calls["figure_of_merit_context"]}
    for context in named["contexts"]:
        assert set(re.findall(r"\{(\w+)\}", contexts[context][1]["output_format"])) <= set(rows[1].groupdict())
for words, named in calls["success_criteria"]:
    assert any(re.match(named["match"], line) for line in table.stdout.splitlines()), named
print(f"{len(executables)} commands and {len(values)} figures of merit are the program's")
