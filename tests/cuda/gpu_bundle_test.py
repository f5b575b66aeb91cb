"""What `./run gpu-check` does around gpu_check: exit codes, sanitizer or the reason why not; and what the bundle needs.

usage: gpu_bundle_test.py PROGRAM unittest-arguments...      (PROGRAM: gpu_check; most tests use stand-ins)
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

CHECK = pathlib.Path(__file__).resolve().parents[1] / "gpu" / "check.sh"
TOOLS = ("memcheck", "racecheck", "initcheck", "synccheck")
PROGRAM = ""


class GpuBundle(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def script(self, name, text):
        path = self.folder / name
        path.write_text("#!/bin/sh\n" + text)
        path.chmod(0o755)
        return path

    def check(self, program, *arguments):
        """check.sh with stand-ins first in PATH; the real sanitizer of a toolkit is out of reach."""
        path = f"{self.folder}:/usr/bin:/bin"
        run = subprocess.run(["sh", CHECK, program, self.folder / "rows.json", *arguments], text=True, timeout=120,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env={**os.environ, "PATH": path})
        return run.returncode, run.stdout

    def test_a_pass_without_sanitizer_is_skipped_with_the_reason(self):
        if pathlib.Path("/usr/local/cuda/bin/compute-sanitizer").exists():
            self.skipTest("this machine has a compute-sanitizer")
        code, said = self.check(self.script("gpu_check", "echo PASS\n"))
        self.assertEqual(code, 0, said)
        for tool in TOOLS:
            self.assertIn(f"compute-sanitizer {tool}: Skipped: no compute-sanitizer", said)
        self.assertIn("1 passed, 0 failed, 4 skipped", said)

    def test_the_sanitizer_runs_on_tiny_shapes(self):
        self.script("compute-sanitizer", f'echo "$@" >>{self.folder}/calls\n')
        code, said = self.check(self.script("gpu_check", "exit 0\n"))
        self.assertEqual(code, 0, said)
        self.assertIn("5 passed, 0 failed, 0 skipped", said)
        calls = (self.folder / "calls").read_text().splitlines()
        self.assertEqual([re.match(r"--tool (\w+)", c)[1] for c in calls], list(TOOLS))
        self.assertTrue(all(c.endswith("gpu_check --tiny") for c in calls), calls)

    def test_an_error_of_the_sanitizer_fails(self):
        self.script("compute-sanitizer", '[ "$2" = racecheck ] || exit 0\necho "RACECHECK SUMMARY: 1 hazard"\nexit 9\n')
        code, said = self.check(self.script("gpu_check", "exit 0\n"))
        self.assertEqual(code, 1, said)
        self.assertIn("compute-sanitizer racecheck: FAILED", said)
        self.assertIn("4 passed, 1 failed, 0 skipped", said)

    def test_a_sanitizer_that_cannot_run_here_is_skipped_with_what_it_said(self):
        self.script("compute-sanitizer", 'echo "========= Error: Device not supported"\nexit 255\n')
        code, said = self.check(self.script("gpu_check", "exit 0\n"))
        self.assertEqual(code, 0, said)
        self.assertIn("memcheck: Skipped: ========= Error: Device not supported", said)

    def test_a_failed_check_is_a_failure_and_no_gpu_is_3(self):
        self.script("compute-sanitizer", "exit 0\n")
        self.assertEqual(self.check(self.script("gpu_check", "exit 1\n"))[0], 1)
        code, said = self.check(self.script("gpu_check", "echo no driver\nexit 3\n"))
        self.assertEqual((code, said), (3, "no driver\n"))

    def test_arguments_go_to_the_program(self):
        self.check(self.script("gpu_check", f'echo "$@" >>{self.folder}/calls\n'), "--only", "rmsnorm")
        self.assertEqual((self.folder / "calls").read_text().splitlines()[0],
                         f"--out {self.folder}/rows.json --only rmsnorm")

    def test_the_real_program_needs_nothing_but_libc(self):
        said = subprocess.run(["readelf", "-d", PROGRAM], check=True, capture_output=True, text=True).stdout
        needed = set(re.findall(r"\(NEEDED\).*\[(.*)\]", said))
        self.assertLessEqual(needed, {"libc.so.6", "libm.so.6", "ld-linux-x86-64.so.2"})
        self.assertLess(os.stat(PROGRAM).st_size, 30 << 20)

    def test_the_real_program_says_why_there_is_no_gpu(self):
        code, said = self.check(PROGRAM)
        if code != 3:
            self.skipTest("this machine has a GPU")
        self.assertRegex(said, r"^gpu_check: no CUDA device: [^\n]+\n$")

    def test_the_real_program_lists_its_kernels_without_a_gpu(self):
        said = subprocess.run([PROGRAM, "--list"], check=True, capture_output=True, text=True).stdout
        self.assertGreater(len(re.findall(r"(?m)^[0-9a-f]{64}  \w+$", said)), 0)
        self.assertEqual(subprocess.run([PROGRAM, "--lits"], capture_output=True).returncode, 2)


if __name__ == "__main__":
    PROGRAM = sys.argv.pop(1)
    unittest.main(verbosity=0)
