"""Kill -9 at random moments, resume, and compare every byte with the uninterrupted run (reliability row 1).

usage: kill_test.py PROGRAM [KILLS] [SEED]
Trains one tiny pack without interruption; then starts the same run in fresh folders, kills it at drawn times (several
times in a row for some), resumes until it ends, and compares SHA-256 of weights, last checkpoint (parameters, optimiser
moments) and metrics.jsonl. The drawn times follow from SEED, which is printed.
"""
import hashlib
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time

SETTINGS = ["task=linked_list", "data.size=6", "data.train_size=200", "data.test_size=20",
            "model.width=16", "model.heads=2", "train.batch=8", "train.steps=400", "train.warmup=10",
            "train.checkpoint_every=20", "train.ema=0.9", "depth.train=1..3", "seeds=0,1"]


def environment():
    return {**os.environ, "OMP_WAIT_POLICY": "passive", "OMP_NUM_THREADS": "1"}


def start(program, arguments):
    return subprocess.Popen([program, *arguments, "--threads", "1", "--quiet"], stdout=subprocess.DEVNULL,
                            stderr=subprocess.PIPE, text=True, env=environment())


def finish(program, arguments):
    process = start(program, arguments)
    _, errors = process.communicate(timeout=300)
    if process.returncode != 0:
        sys.exit(f"FAIL: {' '.join(arguments)} ended with {process.returncode}: {errors}")


def digests(folder):
    checkpoints = sorted(p.name for p in folder.glob("checkpoint-*.safetensors"))
    names = ["model.safetensors", "metrics.jsonl", *checkpoints]
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names}


def main():
    program = sys.argv[1]
    kills = int(sys.argv[2]) if len(sys.argv) > 2 else 20
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else 20261122
    draw = random.Random(seed)
    with tempfile.TemporaryDirectory() as holder:
        root = pathlib.Path(holder)
        whole = root / "whole"
        began = time.monotonic()
        finish(program, ["train", *SETTINGS, "--out", str(whole)])
        seconds = time.monotonic() - began
        expected = digests(whole)
        done = 0
        mid_run = 0
        run = 0
        while done < kills:
            folder = root / f"run{run}"
            run += 1
            arguments = ["train", *SETTINGS, "--out", str(folder)]
            for _ in range(draw.randint(1, 3)):
                process = start(program, arguments)
                time.sleep(draw.uniform(0, 1.1 * seconds))
                finished = process.poll() is not None
                if not finished:
                    process.send_signal(signal.SIGKILL)
                process.communicate()
                done += 1
                mid_run += 0 if finished else 1
                if (folder / "spec.toml").exists():
                    arguments = ["resume", str(folder)]
            finish(program, arguments)
            got = digests(folder)
            if got != expected:
                wrong = sorted(set(got.items()) ^ set(expected.items()))
                sys.exit(f"FAIL: run {run - 1} of seed {seed} differs from the uninterrupted run: {wrong}")
        print(f"{done} kills ({mid_run} while running) in {run} runs, seed {seed}: "
              f"{', '.join(sorted(expected))} identical to the uninterrupted run of {seconds:.1f} s")
        if mid_run < done // 4:
            sys.exit("FAIL: too few kills hit a running process to mean anything")


if __name__ == "__main__":
    main()
