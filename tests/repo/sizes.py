"""Counts files, functions and comments, prints the table, and fails on the hard limits.

A file has at most 500 lines, a function 80 (bodies of kernels 100). Counted are lines of a file with blank ones; of a
function the lines from its opening to its closing brace, lambdas belonging to their owner; a line is a comment if any
character of it is one, and code if any character of it is code.
"""
import ast
import sys

import tree

FILE_LIMIT, FUNCTION_LIMIT, KERNEL_LIMIT = 500, 80, 100
GROUPS = ["kernels/core", "kernels", "data", "models", "interp", "experiments/report", "experiments", "bench", "tests"]


def group_of(path):
    return next((g for g in GROUPS if path.startswith(g + "/")), "root")


def functions_python(source):
    nodes = [n for n in ast.walk(ast.parse(source)) if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef))]
    return [(n.name, n.lineno, n.end_lineno - n.lineno + 1) for n in nodes]


def measure(path):
    source = tree.text(path)
    lines = source.count("\n") + (0 if source.endswith("\n") else 1)
    code_lines = comment_lines = 0
    functions = []
    if path.endswith((".cpp", ".h", ".cu", ".cuh")):
        code, comments = tree.split_cpp(source)
        code_lines = sum(1 for line in code.splitlines() if line.strip())
        comment_lines = sum(1 for line in comments.splitlines() if line.strip())
        functions = tree.functions_cpp(code)
    elif path.endswith(".py"):
        functions = functions_python(source)
    return {"path": path, "lines": lines, "code": code_lines, "comments": comment_lines, "functions": functions}


def quantile(values, share):
    """Nearest rank."""
    ordered = sorted(values)
    return ordered[max(0, -(-int(share * 100) * len(ordered) // 100) - 1)] if ordered else 0


def row(name, files):
    lines = [f["lines"] for f in files]
    sizes = [size for f in files for _, _, size in f["functions"]]
    ratio = sum(f["comments"] for f in files) / max(1, sum(f["code"] for f in files))
    three = lambda v: f"{quantile(v, 0.5)} / {quantile(v, 0.9)} / {max(v, default=0)}"
    print(f"{name:<20} {len(files):>5} {sum(lines):>7}   {three(lines):<16} {len(sizes):>5}   {three(sizes):<14} {ratio:>5.2f}")


def main():
    found = [measure(p) for p in tree.files(".cpp", ".h", ".cu", ".cuh", ".py", ".js")]
    print("layer                files   lines   median/p90/max   funcs   median/p90/max comments:code")
    for group in GROUPS:
        files = [f for f in found if group_of(f["path"]) == group]
        if files:
            row(group, files)
    row("all", found)
    total = lambda tests: sum(f["lines"] for f in found if f["path"].startswith("tests/") == tests)
    print(f"test : source lines  {total(True) / max(1, total(False)):.2f}")
    wrong = []
    for f in found:
        if f["lines"] > FILE_LIMIT:
            wrong.append(f"{f['path']}: {f['lines']} lines, at most {FILE_LIMIT}")
        kernel = f["path"].startswith(("kernels/cpu/", "kernels/fused/")) or f["path"].endswith("_body.h")
        limit = KERNEL_LIMIT if kernel else FUNCTION_LIMIT
        for name, line, size in f["functions"]:
            if size > limit:
                wrong.append(f"{f['path']}:{line}: {name} has {size} lines, at most {limit}")
    print("\n".join(wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
