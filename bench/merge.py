"""Joins JSON outputs of Google Benchmark into one: the entries of all, each context under its program's name.

usage: merge.py OUT PART...
"""
import json
import os
import pathlib
import sys


def main(out, *parts):
    merged = {"context": {}, "benchmarks": []}
    for part in parts:
        text = pathlib.Path(part).read_text(encoding="utf-8")
        if not text.strip():  # no benchmark of this program matched the filter
            continue
        one = json.loads(text)
        merged["context"][pathlib.PurePath(one["context"]["executable"]).name] = one["context"]
        merged["benchmarks"] += one["benchmarks"]
    pathlib.Path(out + ".new").write_text(json.dumps(merged, indent=1) + "\n", encoding="utf-8")
    os.replace(out + ".new", out)


if __name__ == "__main__":
    main(*sys.argv[1:])
