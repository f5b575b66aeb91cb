"""The program with CUDA in it, on a machine without a driver: it computes on the CPU, and refuses a GPU with the reason.

usage: program_test.py PROGRAM
"""
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

PROGRAM = ""
TRAIN = ["train", "task=prefix_parity", "data.size=8", "data.ood_size=8", "data.train_size=100", "data.test_size=20",
         "model.width=16", "model.heads=2", "train.batch=8", "seeds=0,1", "train.steps=3", "--quiet"]


class CudaProgram(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def run_program(self, *arguments):
        done = subprocess.run([PROGRAM, *arguments], cwd=self.folder, capture_output=True, text=True, timeout=60)
        return done.returncode, done.stdout + done.stderr

    def has_gpu(self):
        return "cuda:0" in self.run_program("list", "devices")[1]

    def test_it_trains_on_the_cpu_and_says_so(self):
        for device in ("auto", "cpu"):
            code, said = self.run_program(*TRAIN, "--device", device, "--out", device)
            self.assertEqual(code, 0, said)
            starts = json.loads((self.folder / device / "run.json").read_text())["starts"]
            self.assertEqual(starts[0]["device"], "cpu")

    def test_a_gpu_that_is_not_there_is_refused_and_nothing_made(self):
        if self.has_gpu():
            self.skipTest("this machine has a GPU")
        code, said = self.run_program(*TRAIN, "--device", "cuda", "--out", "a")
        self.assertEqual(code, 3, said)
        self.assertIn("no CUDA device", said)
        self.assertFalse((self.folder / "a").exists())

    def test_the_list_says_why_there_is_no_gpu(self):
        if self.has_gpu():
            self.skipTest("this machine has a GPU")
        code, said = self.run_program("list", "devices")
        self.assertEqual(code, 0, said)
        self.assertIn("no CUDA device:", said)


if __name__ == "__main__":
    PROGRAM = sys.argv.pop(1)
    unittest.main(verbosity=0)
