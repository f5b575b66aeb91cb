"""Fails where a kernel spills, serialises its wgmma instructions, or needs more registers than its cap.

usage: ptxas_gate.py [--quiet] BUILD_FOLDER [LIMITS.json]      (--quiet: no table)

Reads OBJECT.ptxas.log (ptxas_log.py) of every CUDA object that compile_commands.json names, and prints one line per
kernel and architecture. LIMITS.json (ptxas_limits.json beside this file) holds the cap for all kernels and, per kernel,
exceptions with their reason: {"registers": 128, "kernels": {"Name": {"registers": 168, "spill_bytes": 0, "reason": "..."}}}.
"""
import json
import pathlib
import re
import shlex
import subprocess
import sys

ENTRY = re.compile(r"Compiling entry function '(\S+)' for '(sm_\w+)'")
STACK = re.compile(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads")
USED = re.compile(r"Used (\d+) registers(?:.*?(\d+) bytes smem)?")
SERIALISED = re.compile(r"\(C75(?:10|12)\)")


def objects(build):
    """CUDA objects of a build folder. Fails on an object without a log as new as itself: nothing would be checked."""
    found = []
    for entry in json.loads((build / "compile_commands.json").read_text()):
        if "-Xptxas=-v" in entry["command"]:  # the launcher itself does not stand there
            words = shlex.split(entry["command"])
            found.append(pathlib.Path(entry["directory"]) / words[words.index("-o") + 1])
    return sorted(found)


def log_of(target):
    log = pathlib.Path(f"{target}.ptxas.log")
    if not target.exists():
        raise SystemExit(f"ptxas_gate: {target} is not built")
    # The log is written after the object; a copied folder may have both within a clock tick.
    if not log.exists() or log.stat().st_mtime < target.stat().st_mtime - 1:
        raise SystemExit(f"ptxas_gate: no log of this {target.name}; delete it and build again")
    return log.read_text(encoding="utf-8")


def kernels(text):
    """[{symbol, arch, registers, shared, stack, spill}] of one log."""
    found = []
    for line in text.splitlines():
        if match := ENTRY.search(line):
            found.append({"symbol": match[1], "arch": match[2], "registers": None, "shared": 0, "stack": 0, "spill": 0})
        elif (match := STACK.search(line)) and found and found[-1]["registers"] is None:
            found[-1].update(stack=int(match[1]), spill=int(match[2]) + int(match[3]))
        elif (match := USED.search(line)) and found:
            found[-1].update(registers=int(match[1]), shared=int(match[2] or 0))
    return found


def demangle(symbols):
    if not symbols:
        return {}
    out = subprocess.run(["c++filt", *symbols], check=True, capture_output=True, text=True).stdout.splitlines()
    return dict(zip(symbols, map(short, out)))


def short(name):
    """`void sv::cuda::run<sv::ops::RmsNormForward>(...)` is RmsNormForward; another kernel keeps its name."""
    name = name.replace("(anonymous namespace)::", "")
    match = re.match(r"void (?:\w+::)*run<(.*?) ?>\(", name)
    text = match[1] if match else re.sub(r"\(.*", "", name)
    return re.sub(r"(?:\w+::|\(anonymous namespace\)::)+", "", text)


def problems(kernel, limits):
    own = limits["kernels"].get(kernel["name"], {})
    cap, spill = own.get("registers", limits["registers"]), own.get("spill_bytes", 0)
    where = f"{kernel['name']} ({kernel['arch']})"
    if kernel["registers"] is None:
        yield f"{where}: ptxas gave no register count"
    elif kernel["registers"] > cap:
        yield f"{where}: {kernel['registers']} registers, the cap is {cap}"
    if kernel["spill"] > spill:
        yield f"{where}: {kernel['spill']} bytes of spills, allowed are {spill}"


def read_limits(path):
    limits = json.loads(path.read_text())
    for name, own in limits["kernels"].items():
        if not own.get("reason"):
            raise SystemExit(f"ptxas_gate: {path.name}: {name} has no reason")
    return limits


def main():
    words = [w for w in sys.argv[1:] if w != "--quiet"]
    show = print if words == sys.argv[1:] else lambda line: None
    build = pathlib.Path(words[0])
    limits = read_limits(pathlib.Path(words[1]) if len(words) > 1
                         else pathlib.Path(__file__).with_name("ptxas_limits.json"))
    found, wrong = [], []
    for target in objects(build):
        text = log_of(target)
        found += kernels(text)
        wrong += [f"{target.name}: {line.strip()}" for line in text.splitlines() if SERIALISED.search(line)]
    names = demangle(sorted({k["symbol"] for k in found}))
    show(f"{'kernel':<44} {'arch':<8} {'registers':>9} {'shared':>7} {'stack':>6} {'spills':>7}")
    for kernel in sorted(found, key=lambda k: (names[k["symbol"]], k["arch"])):
        kernel["name"] = names[kernel["symbol"]]
        show("{name:<44} {arch:<8} {registers!s:>9} {shared:>7} {stack:>6} {spill:>7}".format(**kernel))
        wrong += problems(kernel, limits)
    unknown = set(limits["kernels"]) - set(names.values())
    wrong += [f"{name}: in the limits, but no such kernel was compiled" for name in sorted(unknown)]
    if not found:
        wrong.append("no kernel was compiled")
    print("\n".join(f"ptxas_gate: {line}" for line in wrong) or f"ptxas_gate: {len(found)} kernels, none spills")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
