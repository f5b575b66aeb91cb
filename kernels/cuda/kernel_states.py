"""Which kernels there are, what they are made of, and on which GPU they have been run.

usage: kernel_states.py            one line per kernel: kernel, op, source hash, state
       kernel_states.py --changed  kernels that were never validated, or changed since
       kernel_states.py --header FILE    the same table for C++
       kernel_states.py --readme         renews the tables in README.md
       kernel_states.py --merge FILE     takes the rows of a gpu-check into gpu_validated.json

A kernel is a struct with kName in a header *_body.h below kernels/. Its source hash is the SHA-256 of lines "SHA-256  path",
sorted by path, of what decides its bits on a GPU: that header and its CUDA shell <op>_cuda.cu, the headers of ours that they
include, and the launcher <op>_device.cpp with <op>_device.h. gpu_validated.json holds one row per kernel (ROW below), written
by `./run gpu-check` on a machine with a GPU. No row, or one with another source hash, only means that the kernel as it is has
not been run on a GPU. Its section `runs` holds what else was measured there (gpu_runs.py).
"""
import functools
import hashlib
import json
import pathlib
import re
import sys

import gpu_runs

ROOT = pathlib.Path(__file__).resolve().parents[2]
TABLE = ROOT / "kernels" / "gpu_validated.json"
NEVER = "never run on a GPU"
# kName, or a constant of another name that a template takes as its kName; gpu_check_test compares with the real table.
NAME = re.compile(r"static constexpr const char\s*\*\s*k\w+\s*=\s*([^;]*);")
# A row of gpu_validated.json: key and type.
ROW = {
    "kernel": str,         # kName
    "source": str,         # source hash at that run
    "gpu": str,            # name of the device
    "driver": str,         # CUDA release of runtime and driver
    "date": str,           # UTC, YYYY-MM-DD
    "result": str,         # "pass" or "fail"
    "cases": int,          # cases of the op in which the kernel ran
    "repeats": int,        # runs of a case that gave the same bits
    "error": float,        # largest error against the double reference, as a share of the case's tolerance
    "microseconds": float,  # one launch at the timed shape; 0: not timed
    "gbs": float,          # bytes of the op's call over the time of all its launches, 1e9 bytes per second; 0: not timed
    "of_copy": float,      # that, as a share of what a copy within the device reaches
}


def strip_comments(text):
    return re.sub(r"//[^\n]*", "", text)


@functools.cache
def text_of(path):
    return (ROOT / path).read_text(encoding="utf-8")


def included(path):
    """Our headers that a file includes, as paths from the root."""
    for name in re.findall(r'^\s*#\s*include\s*"([^"]+)"', text_of(path), flags=re.M):
        found = f"kernels/{name}" if name.startswith("core/") else name
        if (ROOT / found).is_file():
            yield found


def closure(path):
    seen, todo = set(), [path]
    while todo:
        at = todo.pop()
        if at not in seen:
            seen.add(at)
            todo += included(at)
    return seen


def bodies():
    """{header: [kernel names]} of the headers that define kernels, sorted."""
    found = {}
    for file in sorted((ROOT / "kernels").rglob("*_body.h")):
        path = str(file.relative_to(ROOT))
        names = []
        for value in NAME.findall(strip_comments(text_of(path))):
            names += re.findall(r'"(\w+)"', value)
        if names:
            found[path] = names
    return found


def op_of(header):
    return re.sub(r"(_body)?\.h$", "", header.rsplit("/", 1)[-1])


def sources(header):
    op, folder = op_of(header), header.rsplit("/", 1)[0]
    files = closure(header)
    for name in (f"{folder}/{op}_cuda.cu", f"{folder}/{op}_device.cpp", f"{folder}/{op}_device.h"):
        if (ROOT / name).is_file():
            files |= closure(name) if name.endswith(".cu") else {name}
    return sorted(files)


def source_hash(header):
    lines = "".join(f"{hashlib.sha256(text_of(p).encode()).hexdigest()}  {p}\n" for p in sources(header))
    return hashlib.sha256(lines.encode()).hexdigest()


def kernels():
    """[{kernel, op, source}] of the tree, sorted by op and kernel."""
    found = []
    for header, names in bodies().items():
        found += [{"kernel": name, "op": op_of(header), "source": source_hash(header)} for name in names]
    names = [k["kernel"] for k in found]
    twice = sorted({n for n in names if names.count(n) > 1})
    if twice:
        raise ValueError(f"two kernels are called {', '.join(twice)}")
    return sorted(found, key=lambda k: (k["op"], k["kernel"]))


def check_row(row, known):
    if not isinstance(row, dict) or set(row) != set(ROW):
        raise ValueError(f"a row has exactly the keys {', '.join(ROW)}; found {row}")
    for key, kind in ROW.items():
        if type(row[key]) is not kind and not (kind is float and type(row[key]) is int):
            raise ValueError(f"{row['kernel']}: {key} must be a {kind.__name__}, got {row[key]!r}")
        if kind in (int, float) and not 0 <= row[key] < float("inf"):
            raise ValueError(f"{row['kernel']}: {key} is {row[key]}")
    if row["kernel"] not in known:
        raise ValueError(f"there is no kernel {row['kernel']}")
    if not re.fullmatch(r"[0-9a-f]{64}", row["source"]):
        raise ValueError(f"{row['kernel']}: source is not a SHA-256")
    if row["result"] not in ("pass", "fail"):
        raise ValueError(f"{row['kernel']}: result is neither pass nor fail")
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", row["date"]) or not row["gpu"] or not row["driver"]:
        raise ValueError(f"{row['kernel']}: gpu, driver and date must be filled in")


def validated(text, known):
    """({kernel: row}, {name: run}) of a table. Throws ValueError on anything that is not one."""
    table = json.loads(text)
    if not isinstance(table, dict) or set(table) != {"schema", "kernels", "runs"} or table["schema"] != 2:
        raise ValueError("a table is {\"schema\": 2, \"kernels\": [...], \"runs\": [...]}")
    rows = {}
    for row in table["kernels"]:
        check_row(row, known)
        if row["kernel"] in rows:
            raise ValueError(f"two rows for {row['kernel']}")
        rows[row["kernel"]] = row
    return rows, gpu_runs.validated(table["runs"], {g["name"] for g in gpu_runs.goals(ROOT)})


def state(kernel, row):
    if row is None:
        return NEVER
    where = f"{row['gpu']}, {row['date']}"
    if row["source"] != kernel["source"]:
        return f"changed since it was run on a GPU ({where})"
    return f"validated on a GPU ({where})" if row["result"] == "pass" else f"fails on a GPU ({where})"


def states():
    """kernels(), each with its row's state."""
    all_kernels = kernels()
    rows, _ = validated(TABLE.read_text(), {k["kernel"] for k in all_kernels})
    return [{**k, "state": state(k, rows.get(k["kernel"]))} for k in all_kernels]


def header_text():
    rows = "".join('    {"%s", "%s", "%s", "%s"},\n' % (k["kernel"], k["op"], k["source"], k["state"]) for k in states())
    goals = gpu_runs.goals(ROOT)
    # std::array, as a C array of no kernels does not compile.
    return ("// Written by kernels/cuda/kernel_states.py.\n#pragma once\n#include <array>\n\nnamespace sv::kernel_states {\n"
            "struct Row {\n  const char *kernel, *op, *source, *state;\n};\n"
            f"inline constexpr std::array<Row, {rows.count(chr(10))}> kRows{{{{\n{rows}}}}};\n"
            "struct Goal {\n  const char *name, *unit, *goal;  // goal: \"\", or \">= 20\", \"<= 0.001\"\n};\n"
            f"inline constexpr std::array<Goal, {len(goals)}> kGoals{{{{\n{gpu_runs.header_rows(goals)}}}}};\n}}\n")


def markdown():
    """The README's table: one line per op and state."""
    lines = {}
    for k in states():
        lines.setdefault((k["op"], k["state"]), []).append(f"`{k['kernel']}`")
    body = "".join(f"| {op} | {', '.join(names)} | {what} |\n" for (op, what), names in lines.items())
    return f"| op | kernels | on a GPU |\n|---|---|---|\n{body}"


def renewed(readme):
    """The text of README.md with the tables between <!-- kernels --> and <!-- runs --> and their ends renewed."""
    _, runs = validated(TABLE.read_text(), {k["kernel"] for k in kernels()})
    for name, table in (("kernels", markdown()), ("runs", gpu_runs.markdown(gpu_runs.goals(ROOT), runs))):
        readme, count = re.subn(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", lambda m: m[1] + table + m[2], readme,
                                flags=re.S)
        if count != 1:
            raise ValueError(f"README.md has no section <!-- {name} -->")
    return readme


def merge(path):
    known = {k["kernel"] for k in kernels()}
    rows, runs = validated(TABLE.read_text(), known)
    new_rows, new_runs = validated(pathlib.Path(path).read_text(), known)
    rows.update(new_rows)
    runs.update(new_runs)
    table = {"schema": 2, "kernels": [rows[name] for name in sorted(rows)], "runs": [runs[name] for name in sorted(runs)]}
    TABLE.write_text(json.dumps(table, indent=1) + "\n")
    print(f"{len(new_rows)} kernels and {len(new_runs)} runs taken into {TABLE.relative_to(ROOT)}")


def main(words):
    if not words or words == ["--changed"]:
        for k in states():
            if not words or not k["state"].startswith("validated"):
                print(f"{k['kernel']:<36} {k['op']:<20} {k['source'][:12]}  {k['state']}")
    elif words[0] == "--header" and len(words) == 2:
        file = pathlib.Path(words[1])
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(header_text())
    elif words == ["--readme"]:
        readme = ROOT / "README.md"
        readme.write_text(renewed(readme.read_text()))
    elif words[0] == "--merge" and len(words) == 2:
        merge(words[1])
    else:
        raise SystemExit(__doc__)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (ValueError, OSError) as error:
        raise SystemExit(f"kernel_states: {error}") from error
