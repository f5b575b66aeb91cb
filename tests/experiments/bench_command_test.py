"""`subvocal bench` from outside: what it prints, what it refuses, its exit codes.

usage: bench_command_test.py PROGRAM unittest-arguments...
"""
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

PROGRAM = ""
SMALL = ["M=2", "B=3", "T=5", "d=8", "--threads", "1"]
SMALL_MODEL = ["M=1", "B=4", "T=16", "d=16", "heads=2", "hidden=24", "loops=2", "--threads", "1"]

# name: (pieces that the message must hold, arguments)
REFUSED = {
    "unknown op": (["matmull", "did you mean 'matmul'?"], ["matmull"]),
    "unknown verb": (["roofine", "did you mean 'roofline'?"], ["roofine"]),
    "unknown key": (["hedas", "heads"], ["rope", "hedas=3"]),
    "unknown key of a model": (["lops", "loops"], ["train", "lops=3"]),
    "key that the op does not read": (["rmsnorm does not read 'heads'", "M, B, T, d"], ["rmsnorm", "heads=3"]),
    "value out of range": (["M", "1 .. "], ["matmul", "M=0"]),
    "unknown type": (["f16", "f32"], ["matmul", "dtype=f16"]),
    "heads that do not divide": (["heads=5 must divide d=48"], ["attention_mix", "heads=5"]),
    "heads of a model that do not divide": (["heads=5 must divide d=48"], ["train", "heads=5"]),
    "too large": (["elements"], ["matmul", "B=65536", "T=65536"]),
    "keys without an op": (["needs an op"], ["M=3"]),
    "a second op": (["'rope' is not understood"], ["matmul", "rope"]),
    "compare without files": (["takes two files"], ["compare"]),
    "compare with three files": (["takes two files"], ["compare", "a.json", "b.json", "a.json"]),
    "compare with a missing file": (["nowhere.json"], ["compare", "a.json", "nowhere.json"]),
    "compare with another file": (["other.json", "no list 'benchmarks'"], ["compare", "a.json", "other.json"]),
    "compare of different benches": (["no benchmark in common"], ["compare", "a.json", "strange.json"]),
    "a limit below zero": (["--limit"], ["compare", "a.json", "b.json", "--limit", "-1"]),
    "roofline with keys": (["takes no keys"], ["roofline", "M=3"]),
}


def benchmark_file(**times):
    entries = [{"name": name, "run_name": name, "run_type": "iteration", "real_time": time, "cpu_time": time,
                "time_unit": "us"} for name, time in times.items()]
    return json.dumps({"context": {}, "benchmarks": entries})


class BenchCommand(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = pathlib.Path(holder.name)
        for name, text in (("a.json", benchmark_file(x=100, y=50)), ("b.json", benchmark_file(x=112, y=40)),
                           ("other.json", "{}"), ("strange.json", benchmark_file(z=3))):
            (self.folder / name).write_text(text, encoding="utf-8")

    def bench(self, code, *arguments):
        done = subprocess.run([PROGRAM, "bench", *arguments], cwd=self.folder, capture_output=True, text=True,
                              timeout=240, check=False)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def row(self, said, name):
        """The numbers of a line of the table, in its order: milliseconds, GFLOP/s, GB/s, ..."""
        line = next(one for one in said.splitlines() if one.startswith(name + "  "))
        return [float(n) for n in re.findall(r"(?<![\w.])\d+(?:\.\d+)?(?:e[+-]\d+)?", line[len(name):])]

    def test_help_lists_every_op(self):
        for arguments in ([], ["--help"]):
            said = self.bench(0, *arguments)
            for word in ("matmul", "attention_pattern", "softmax_xent", "iteration", "roofline", "compare", "dtype"):
                self.assertIn(word, said)

    def test_an_op_is_timed_forward_and_backward(self):
        said = self.bench(0, "matmul", *SMALL, "out=16")
        self.assertIn("M=2 B=3 T=5 d=8 out=16 f32, 1 threads", said)
        for name in ("matmul", "matmul vjp"):
            ms, gflops, gbs, intensity, limit, reached, low, high = self.row(said, name)
            self.assertLessEqual(low, ms)
            self.assertLessEqual(ms, high)
            self.assertAlmostEqual(gflops / gbs, intensity, delta=0.02 * intensity)
            self.assertAlmostEqual(100 * gflops / limit, reached, delta=0.02 * reached + 0.1)
        ms, gflops, *_ = self.row(said, "matmul")
        self.assertAlmostEqual(ms * gflops * 1e6, 2 * 2 * 15 * 8 * 16, delta=100)
        peak = re.search(r"peak ([\d.e+]+) GFLOP/s of multiply-adds, ([\d.e+]+) GB/s", said)
        self.assertGreater(float(peak.group(1)), 0)
        self.assertGreater(float(peak.group(2)), 0)

    def test_double_moves_twice_the_bytes_under_half_the_peak(self):
        said = self.bench(0, "silu_gate", "M=2", "B=3", "T=5", "hidden=8", "dtype=f64", "--threads", "1")
        self.assertIn("f64", said)
        self.assertAlmostEqual(self.row(said, "silu_gate")[3], 20 / 24, delta=0.01)

    def test_an_op_without_a_gradient_has_one_row(self):
        said = self.bench(0, "rows", *SMALL)
        self.assertNotIn("rows vjp", said)
        self.assertIn("GB/s", said)

    def test_iteration_and_training_step(self):
        iteration = self.row(self.bench(0, "iteration", *SMALL_MODEL), "iteration")
        step = self.row(self.bench(0, "train", *SMALL_MODEL), "training step")
        # A step is two loops, three times the work of each; the intensity is the same.
        self.assertAlmostEqual(step[0] * step[1] / (iteration[0] * iteration[1]), 6, delta=0.1)
        self.assertAlmostEqual(step[3], iteration[3], delta=0.02 * iteration[3])

    def test_compare_fails_on_what_became_slower(self):
        said = self.bench(1, "compare", "a.json", "b.json")
        self.assertRegex(said, r"1\.120  x  SLOWER")
        self.assertRegex(said, r"0\.800  y\n")
        self.assertIn("2 compared, 1 more than 10 % slower", said)
        self.assertNotIn("SLOWER", self.bench(0, "compare", "a.json", "b.json", "--limit", "15"))
        self.assertNotIn("SLOWER", self.bench(0, "compare", "a.json", "a.json", "--limit", "0"))

    def test_bad_input_is_refused(self):
        before = sorted(p.name for p in self.folder.iterdir())
        for name, (pieces, arguments) in REFUSED.items():
            with self.subTest(name):
                said = self.bench(2, *arguments)
                for piece in pieces:
                    self.assertIn(piece, said)
        self.assertEqual(sorted(p.name for p in self.folder.iterdir()), before)

    def test_roofline_leaves_a_folder_that_the_report_draws(self):
        self.bench(0, "roofline", "--out", "roof", "--threads", "1", "--quiet")
        doc = json.loads((self.folder / "roof/bench.json").read_text(encoding="utf-8"))
        names = [mark["name"] for mark in doc["marks"]]
        self.assertEqual(names[-2:], ["iteration", "training step"])
        self.assertEqual(len(set(names)), len(names))
        self.assertIn("matmul", names)
        self.assertTrue(all(mark["repetitions"] >= 7 and mark["seconds"] > 0 for mark in doc["marks"]))
        self.assertTrue((self.folder / "roof/run.json").is_file())
        done = subprocess.run([PROGRAM, "report", "roof"], cwd=self.folder, capture_output=True, text=True,
                              timeout=60, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        page = (self.folder / "roof/report.html").read_text(encoding="utf-8")
        self.assertIn('"marks":[{', page)


if __name__ == "__main__":
    PROGRAM = str(pathlib.Path(sys.argv.pop(1)).resolve())
    unittest.main(verbosity=0)
