"""The table of kernels that were run on a GPU: well formed, never more than is true, and the same in the README.

usage: kernel_states_test.py unittest-arguments...
"""
import json
import pathlib
import re
import shutil
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "kernels" / "cuda"))
import gpu_runs  # noqa: E402
import kernel_states  # noqa: E402

KERNEL = {"kernel": "double_rows", "op": "double", "source": "0" * 64}
ROW = {"kernel": "double_rows", "source": "0" * 64, "gpu": "NVIDIA H100", "driver": "13.0 (driver 13.0)",
       "date": "2026-01-31", "result": "pass", "cases": 4, "repeats": 100, "error": 0.25, "microseconds": 3.5,
       "gbs": 1200.0, "of_copy": 0.8}


RUN = {"name": "pack.batch_16", "value": 25.0, "unit": "times", "goal": ">= 20", "met": True, "gpu": "NVIDIA H100",
       "toolkit": "13.0 (driver 13.0)", "commit": "abc", "date": "2026-01-31"}


def table(*rows, runs=()):
    return json.dumps({"schema": 2, "kernels": rows, "runs": runs})


class KernelStates(unittest.TestCase):
    def read(self, *rows):
        return kernel_states.validated(table(*rows), {"double_rows"})[0]

    def test_the_table_of_the_tree_is_well_formed(self):
        states = kernel_states.states()
        self.assertTrue(states)
        for k in states:  # information: nothing here can run them
            if not k["state"].startswith("validated"):
                print(f"{k['kernel']}: {k['state']}")

    def test_a_row_is_taken_as_it_is(self):
        self.assertEqual(self.read(ROW), {"double_rows": ROW})
        self.assertEqual(self.read(), {})
        self.assertEqual(kernel_states.state(KERNEL, ROW), "validated on a GPU (NVIDIA H100, 2026-01-31)")

    def test_a_stale_row_is_information_and_no_row_is_never(self):
        stale = {**ROW, "source": "1" * 64}
        self.read(stale)
        self.assertEqual(kernel_states.state(KERNEL, stale), "changed since it was run on a GPU (NVIDIA H100, 2026-01-31)")
        self.assertEqual(kernel_states.state(KERNEL, None), "never run on a GPU")

    def test_a_failure_on_a_gpu_is_shown(self):
        self.assertEqual(kernel_states.state(KERNEL, {**ROW, "result": "fail"}), "fails on a GPU (NVIDIA H100, 2026-01-31)")

    def test_what_is_no_table_is_refused(self):
        for text in ("", "[]", "{}", '{"schema": 1, "kernels": []}', '{"schema": 2, "kernels": []}',
                     '{"schema": 2, "kernels": [3], "runs": []}', '{"schema": 2, "kernels": [], "runs": [3]}',
                     '{"schema": 2, "kernels": [], "runs": [], "more": 1}'):
            with self.subTest(text), self.assertRaises(ValueError):
                kernel_states.validated(text, {"double_rows"})

    def test_a_malformed_row_is_refused(self):
        wrong = {"no such kernel": {**ROW, "kernel": "triple_rows"}, "no hash": {**ROW, "source": "abc"},
                 "no result": {**ROW, "result": "maybe"}, "text for a number": {**ROW, "error": "small"},
                 "no number": {**ROW, "error": float("nan")}, "negative": {**ROW, "microseconds": -1.0},
                 "no date": {**ROW, "date": "yesterday"}, "no device": {**ROW, "gpu": ""},
                 "a key more": {**ROW, "note": "x"}, "a key less": {k: v for k, v in ROW.items() if k != "repeats"}}
        for name, row in wrong.items():
            with self.subTest(name), self.assertRaises(ValueError):
                self.read(row)
        with self.assertRaisesRegex(ValueError, "two rows"):
            self.read(ROW, ROW)

    def test_the_readme_holds_the_table(self):
        readme = (ROOT / "README.md").read_text()
        self.assertEqual(readme, kernel_states.renewed(readme), "python3 kernels/cuda/kernel_states.py --readme renews it")

    def test_executor_and_cuda_list_the_same_kernels(self):
        executor = re.findall(r"\b(\w+)_kernels\(table\)", (ROOT / "kernels/simt/all_kernels.cpp").read_text())
        cuda = re.findall(r"  add_(\w+)_kernels\(t\)", (ROOT / "kernels/ops/cuda_kernels.cu").read_text())
        self.assertEqual(sorted(executor), sorted(cuda))
        self.assertEqual(sorted(cuda), sorted({kernel_states.op_of(h) for h in kernel_states.bodies()}))


class Runs(unittest.TestCase):
    GOALS = [{"name": "pack.batch_16", "unit": "times", "goal": ">= 20", "what": "packs"},
             {"name": "limits.copy", "unit": "GB/s", "goal": "", "what": "copies"}]

    def read(self, *runs):
        return kernel_states.validated(table(runs=runs), set())[1]

    def test_a_run_is_taken_as_it_is(self):
        free = {**RUN, "name": "limits.copy", "unit": "GB/s", "goal": "", "value": 4300}
        self.assertEqual(self.read(RUN, free), {"pack.batch_16": RUN, "limits.copy": free})
        self.read({**RUN, "value": 19.0, "met": False})
        self.read({**RUN, "name": "train.resume", "goal": "<= 0", "value": 0.0})

    def test_a_malformed_run_is_refused(self):
        wrong = {"no such run": {**RUN, "name": "pack.batch_17"}, "met, but it is not": {**RUN, "value": 19.0},
                 "not met, but it is": {**RUN, "met": False}, "not met without a goal": {**RUN, "goal": "", "met": False},
                 "no goal": {**RUN, "goal": "about 20"}, "no number": {**RUN, "value": float("nan")},
                 "text for a truth": {**RUN, "met": "yes"}, "no date": {**RUN, "date": "2026"},
                 "no device": {**RUN, "gpu": ""}, "no commit": {**RUN, "commit": ""}, "a key more": {**RUN, "note": ""},
                 "a key less": {k: v for k, v in RUN.items() if k != "toolkit"}}
        for name, row in wrong.items():
            with self.subTest(name), self.assertRaises(ValueError):
                self.read(row)
        with self.assertRaisesRegex(ValueError, "two runs"):
            self.read(RUN, RUN)

    def test_the_table_says_what_was_never_run_and_what_is_not_met(self):
        show = lambda *rows: gpu_runs.markdown(self.GOALS, {r["name"]: r for r in rows})
        self.assertIn("| `pack.batch_16`: packs | ≥ 20 times | never run on a GPU |", show())
        self.assertIn("| `limits.copy` | | never run on a GPU |", show())
        self.assertIn("| 25 times, met (NVIDIA H100, 2026-01-31) |", show(RUN))
        self.assertIn("**not met**", show({**RUN, "value": 19.0, "met": False}))
        # Met when it was measured; the goal has moved since.
        self.assertIn("**not met**", show({**RUN, "value": 15.0, "goal": ">= 10"}))

    def test_the_list_of_goals_is_well_formed(self):
        self.assertGreater(len(gpu_runs.goals(ROOT)), 0)
        for goal in gpu_runs.goals(ROOT):
            shares = goal["unit"].removeprefix("of ")
            if shares.startswith("limits."):
                self.assertIn(shares, {g["name"] for g in gpu_runs.goals(ROOT)})


class Merge(unittest.TestCase):
    """On a copy of the table."""

    def test_new_rows_replace_old_ones_and_leave_the_others(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.addCleanup(setattr, kernel_states, "TABLE", kernel_states.TABLE)
        self.addCleanup(setattr, kernel_states, "ROOT", kernel_states.ROOT)
        root = pathlib.Path(folder.name)
        shutil.copytree(ROOT / "kernels", root / "kernels")
        kernel_states.ROOT, kernel_states.TABLE = root, root / "kernels" / "gpu_validated.json"
        row = {**ROW, "kernel": "rmsnorm_dx"}
        kernel_states.TABLE.write_text(table(row, {**row, "kernel": "rmsnorm_forward"}, runs=[RUN]))
        new = root / "new.json"
        new.write_text(table({**row, "cases": 9}, runs=[{**RUN, "value": 30.0}, {**RUN, "name": "train.resume", "value": 0,
                                                                                   "goal": "<= 0"}]))
        kernel_states.merge(new)
        merged = json.loads(kernel_states.TABLE.read_text())
        self.assertEqual([(r["kernel"], r["cases"]) for r in merged["kernels"]], [("rmsnorm_dx", 9), ("rmsnorm_forward", 4)])
        self.assertEqual([(r["name"], r["value"]) for r in merged["runs"]], [("pack.batch_16", 30.0), ("train.resume", 0)])


class SourceHash(unittest.TestCase):
    """On a copy of the kernels, which is then changed."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        shutil.copytree(ROOT / "kernels", self.root / "kernels")
        self.addCleanup(setattr, kernel_states, "ROOT", kernel_states.ROOT)
        kernel_states.ROOT = self.root

    def hash_of(self, kernel):
        kernel_states.text_of.cache_clear()
        return next(k["source"] for k in kernel_states.kernels() if k["kernel"] == kernel)

    def touch(self, path):
        file = self.root / path
        file.write_text(file.read_text() + "\n// changed\n")

    def test_it_depends_on_what_decides_the_bits(self):
        for path in ("kernels/ops/rmsnorm/rmsnorm_body.h", "kernels/ops/rmsnorm/rmsnorm_device.cpp",
                     "kernels/ops/rmsnorm/rmsnorm_cuda.cu", "kernels/simt/context_cuda.cuh", "kernels/simt/live_models.h",
                     "kernels/core/host_device.h", "kernels/cuda/kernel_table.cuh", "kernels/ops/column_sums_body.h"):
            with self.subTest(path):
                before = self.hash_of("rmsnorm_forward")
                self.touch(path)
                self.assertNotEqual(self.hash_of("rmsnorm_forward"), before)

    def test_it_does_not_depend_on_anything_else(self):
        before = self.hash_of("rmsnorm_forward")
        for path in ("kernels/ops/rmsnorm/rmsnorm_cpu.cpp", "kernels/ops/rmsnorm/cases.h", "kernels/simt/executor.h",
                     "kernels/ops/rope/rope_cpu.cpp", "kernels/memory/arena.h"):
            self.touch(path)
        self.assertEqual(self.hash_of("rmsnorm_forward"), before)

    def test_two_kernels_of_one_name_are_refused(self):
        shutil.copy(self.root / "kernels/ops/rmsnorm/rmsnorm_body.h", self.root / "kernels/ops/again_body.h")
        with self.assertRaisesRegex(ValueError, "rmsnorm_dgain"):
            self.hash_of("rmsnorm_forward")


if __name__ == "__main__":
    unittest.main(verbosity=0)
