"""What a gpu-check measures besides kernels: the list of names with units and goals, and the rows that say what was found.

kernels/gpu_goals.json holds the list, in the order in which it is shown; the section `runs` of gpu_validated.json holds at most
one row for each name (RUN below). No row means that nobody has measured it on a GPU.
"""
import json
import math
import pathlib
import re

NEVER = "never run on a GPU"
GOAL = re.compile(r"(>=|<=) (\d+(?:\.\d+)?)")
# A row of the section `runs`: key and type.
RUN = {
    "name": str,     # one of the list
    "value": float,
    "unit": str,     # as in the list when it was measured, like goal
    "goal": str,     # ">= 20", "<= 0.001", or "" where there is none
    "met": bool,     # whether the value meets the goal; true where there is none
    "gpu": str,      # name of the device
    "toolkit": str,  # CUDA release of runtime and driver
    "commit": str,   # of the program, "-dirty" with changes
    "date": str,     # UTC, YYYY-MM-DD
}


def meets(value, goal):
    if not goal:
        return True
    sign, bound = GOAL.fullmatch(goal).groups()
    return value >= float(bound) if sign == ">=" else value <= float(bound)


def goals(root):
    """[{name, unit, goal, what}] of the list."""
    found = json.loads((pathlib.Path(root) / "kernels" / "gpu_goals.json").read_text())
    for entry in found:
        if set(entry) != {"name", "unit", "goal", "what"} or not all(isinstance(v, str) for v in entry.values()):
            raise ValueError(f"a goal has the keys name, unit, goal, what; found {entry}")
        if entry["goal"] and not GOAL.fullmatch(entry["goal"]):
            raise ValueError(f"{entry['name']}: '{entry['goal']}' is no goal")
    names = [entry["name"] for entry in found]
    if len(set(names)) != len(names):
        raise ValueError("two goals have one name")
    return found


def check_row(row, known):
    if not isinstance(row, dict) or set(row) != set(RUN):
        raise ValueError(f"a run has exactly the keys {', '.join(RUN)}; found {row}")
    for key, kind in RUN.items():
        if type(row[key]) is not kind and not (kind is float and type(row[key]) is int):
            raise ValueError(f"{row['name']}: {key} must be a {kind.__name__}, got {row[key]!r}")
    if row["name"] not in known:
        raise ValueError(f"there is no run {row['name']}")
    if not math.isfinite(row["value"]) or row["value"] < 0:
        raise ValueError(f"{row['name']}: value is {row['value']}")
    if row["goal"] and not GOAL.fullmatch(row["goal"]):
        raise ValueError(f"{row['name']}: '{row['goal']}' is no goal")
    if row["met"] != meets(row["value"], row["goal"]):
        raise ValueError(f"{row['name']}: {row['value']} against '{row['goal']}' cannot be met = {row['met']}")
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", row["date"]) or not row["gpu"] or not row["toolkit"] or not row["commit"]:
        raise ValueError(f"{row['name']}: gpu, toolkit, commit and date must be filled in")


def validated(rows, known):
    """{name: row} of a section. Throws ValueError on anything that is not one."""
    found = {}
    for row in rows:
        check_row(row, known)
        if row["name"] in found:
            raise ValueError(f"two runs {row['name']}")
        found[row["name"]] = row
    return found


def number(value):
    return f"{value:.3g}" if value < 1000 else f"{value:.0f}"


def markdown(listed, rows):
    """The README's table: goals against what was found. A goal that has changed since is judged as it is now."""
    lines = ["| what | goal | on a GPU |\n|---|---|---|\n"]
    unknown = [g for g in listed if not g["goal"] and g["name"] not in rows]  # in one line
    for goal in listed:
        row = rows.get(goal["name"])
        if goal in unknown:
            continue
        if row is None:
            said = NEVER
        else:
            said = f"{number(row['value'])} {row['unit']}"
            if goal["goal"]:
                said += ", met" if meets(row["value"], goal["goal"]) else ", **not met**"
            said += f" ({row['gpu']}, {row['date']})"
        wanted = f"{goal['goal'].replace('>=', '≥').replace('<=', '≤')} {goal['unit']}" if goal["goal"] else ""
        lines.append(f"| `{goal['name']}`: {goal['what']} | {wanted} | {said} |\n")
    if unknown:
        lines.append("| " + ", ".join(f"`{g['name']}`" for g in unknown) + f" | | {NEVER} |\n")
    return "".join(lines)


def header_rows(listed):
    """Lines of a C++ table."""
    return "".join('    {%s, %s, %s},\n' % tuple(json.dumps(g[k]) for k in ("name", "unit", "goal")) for g in listed)
