#!/usr/bin/env python3
"""python_structs.py CC SOURCE BUILD WORK: the structs that examples/*.py declare for ctypes are those of the public headers,
field by field: a program of C that includes them prints where each lies and how wide it is. That structs which are not
theirs would be found is tried too."""
import ast
import ctypes
import glob
import os
import re
import subprocess
import sys

CC, SOURCE, BUILD, WORK = sys.argv[1:]
HOST = [os.path.join(SOURCE, "host", room) for room in ("base", "cl", "ops", "model")]
HEAD = """\
#include "turnout.h"

#include <stddef.h>
#include <stdio.h>

#define FLOATS(x) _Generic((x), float: 1, double: 1, default: 0)
#define FIELD(type, name)                                                                                    \\
    printf("%zu %zu %d\\n", offsetof(type, name), sizeof(((type *)0)->name), FLOATS(((type *)0)->name))
"""


def declared(path):
    """{name in C: ctypes.Structure}: the classes of a script and the comments behind their names, nothing of it run."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    classes = [node for node in ast.parse(text).body if isinstance(node, ast.ClassDef)]
    found = {}
    for node in classes:
        names = vars(ctypes).copy()
        exec(compile(ast.Module([node], []), path, "exec"), names)  # pylint: disable=exec-used
        comment = re.search(r"# (tn_\w+)$", text.split("\n")[node.lineno - 1])
        if not comment:
            sys.exit(f"{path}:{node.lineno}: no comment says which struct of C {node.name} is")
        found[comment[1]] = names[node.name]
    return found


def program(name, struct):
    """One value for each field of Python's, in its order: a compiler says where the struct of C has more or fewer."""
    whole = (ctypes.Structure, ctypes.Array)
    zeros = ", ".join("{0}" if issubclass(kind, whole) else "0" for _, kind in struct._fields_)
    lines = [f"    FIELD({name}, {field});" for field, _ in struct._fields_]
    return "\n".join([HEAD, "int main(void) {", f"    static const {name} every = {{{zeros}}};",
                      '    printf("%zu\\n", sizeof every);', *lines, "    return 0;", "}", ""])


def differences(name, struct):
    """What is not as in C: lines of text."""
    file, binary = os.path.join(WORK, name + ".c"), os.path.join(WORK, name)
    with open(file, "w", encoding="utf-8") as out:
        out.write(program(name, struct))
    includes = [f"-I{folder}" for folder in [*HOST, os.path.join(BUILD, "packaging")]]
    built = subprocess.run([CC, "-std=c11", "-Wall", "-Wextra", "-Werror", *includes, file, "-o", binary],
                           capture_output=True, text=True, check=False)
    if built.returncode != 0:
        errors = [line for line in built.stderr.split("\n") if "error" in line]
        return [f"{name}: " + (errors or [built.stderr])[0]]
    size, *rows = subprocess.run([binary], capture_output=True, text=True, check=True).stdout.split("\n")[:-1]
    found = [] if int(size) == ctypes.sizeof(struct) else [f"{name}: {size} bytes, and Python's has {ctypes.sizeof(struct)}"]
    for (field, kind), row in zip(struct._fields_, rows, strict=True):
        floats = int(kind in (ctypes.c_float, ctypes.c_double))
        mine = (getattr(struct, field).offset, ctypes.sizeof(kind), floats)
        if mine != tuple(map(int, row.split())):
            found.append(f"{name}.{field}: offset, bytes, floating {row}, and Python's has {mine}")
    return found


def changed(fields):
    return type("Changed", (ctypes.Structure,), {"_fields_": fields})


def overlooked(name, struct):
    """Changes of it that nothing is said of, though it would be wrong with them."""
    fields = list(struct._fields_)
    other = ctypes.c_int64 if fields[0][1] is ctypes.c_int else ctypes.c_int
    wrong = {"its last field left out": fields[:-1], "its first field left out": fields[1:],
             "its first two turned": [fields[1], fields[0], *fields[2:]],
             "its first of another type": [(fields[0][0], other), *fields[1:]],
             "a field that C does not have": [*fields, ("nobody_has_this", ctypes.c_bool)]}
    return [f"{name} with {what} is not found" for what, fields in wrong.items() if not differences(name, changed(fields))]


def main():
    os.makedirs(WORK, exist_ok=True)
    said, count = [], 0
    for path in sorted(glob.glob(os.path.join(SOURCE, "examples", "*.py"))):
        for name, struct in declared(path).items():
            found = differences(name, struct)
            said += [f"{os.path.relpath(path, SOURCE)}: {line}" for line in found] or overlooked(name, struct)
            count += 1
    if count < 2:
        said.append("the examples declare next to no struct")
    print("\n".join(said) if said else f"{count} structs are as in C")
    sys.exit(bool(said))


if __name__ == "__main__":
    main()
