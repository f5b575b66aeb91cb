"""Compiler launcher of the CUDA sources: keeps what ptxas says about each object in OBJECT.ptxas.log.

usage: ptxas_log.py COMPILER ARGUMENTS... -o OBJECT ...

The statistics of `-Xptxas -v` stand in the log alone; everything else is passed on. A log beside every object, and not
the log of a build, is what ptxas_gate.py reads: it is there too when the compiler cache or ninja had nothing to compile.
"""
import pathlib
import re
import subprocess
import sys

STATISTICS = re.compile(
    r"ptxas info\s*:\s*(\d+ bytes gmem|Compiling entry function|Function properties|Used \d+ registers|Compile time)"
    r"|^\s+\d+ bytes stack frame|ptxas warning\s*:\s*Registers are spilled")


def main():
    command = sys.argv[1:]
    log = pathlib.Path(command[command.index("-o") + 1] + ".ptxas.log") if "-o" in command else None
    run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    if log is not None and run.returncode == 0:
        log.write_text(run.stdout, encoding="utf-8")
    elif log is not None:
        log.unlink(missing_ok=True)
    lines = run.stdout.splitlines(keepends=True)
    sys.stderr.writelines(l for l in lines if run.returncode != 0 or not STATISTICS.search(l))
    return run.returncode


if __name__ == "__main__":
    sys.exit(main())
