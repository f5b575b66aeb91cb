"""What `./run gpu-check` does around its programs: parts and their limits of time, exit codes, sanitizer or the reason why
not; and what the bundle needs.

usage: gpu_bundle_test.py FOLDER unittest-arguments...      (FOLDER of the real programs; most tests use stand-ins)
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

GPU = pathlib.Path(__file__).resolve().parents[1] / "gpu"
TOOLS = ("memcheck", "racecheck", "initcheck", "synccheck")
PROGRAMS = ("gpu_check", "gpu_bench", "subvocal")
PARTS = ("ops", "products", "train", "stress", "limits", "ops", "pack")
FOLDER = ""


class GpuBundle(unittest.TestCase):
    """check.sh with stand-ins for all programs, among them program.sh's subvocal."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.calls = self.folder / "calls"
        for name in ("check.sh", "program.sh"):
            (self.folder / name).write_text((GPU / name).read_text())
        for name in PROGRAMS:
            self.script(name, "")
        self.script("program.sh", f'echo "$@" >>{self.calls}\n')

    def script(self, name, text):
        path = self.folder / name
        path.write_text("#!/bin/sh\n" + text)
        path.chmod(0o755)
        return path

    def check(self, *arguments, seconds=60):
        """Stand-ins first in PATH; the real sanitizer of a toolkit is out of reach."""
        environment = {**os.environ, "PATH": f"{self.folder}:/usr/bin:/bin", "SV_CHECK_SECONDS": str(seconds)}
        run = subprocess.run(["sh", self.folder / "check.sh", self.folder, self.folder / "rows.json", *arguments], text=True,
                             timeout=120, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment)
        return run.returncode, run.stdout

    def test_a_pass_without_sanitizer_is_skipped_with_the_reason(self):
        if pathlib.Path("/usr/local/cuda/bin/compute-sanitizer").exists():
            self.skipTest("this machine has a compute-sanitizer")
        code, said = self.check()
        self.assertEqual(code, 0, said)
        for tool in TOOLS:
            self.assertIn(f"compute-sanitizer {tool}: Skipped: no compute-sanitizer", said)
        self.assertIn("8 passed, 0 failed, 4 skipped", said)

    def test_every_part_runs_and_adds_to_one_file(self):
        self.script("compute-sanitizer", "exit 0\n")
        for name in ("gpu_check", "gpu_bench"):
            self.script(name, f'echo {name} "$@" >>{self.calls}\n')
        code, said = self.check()
        self.assertEqual(code, 0, said)
        self.assertIn("12 passed, 0 failed, 0 skipped", said)
        calls = self.calls.read_text().splitlines()
        self.assertEqual([re.search(r"--part (\w+)", c)[1] for c in calls[:7]], list(PARTS))
        self.assertTrue(all(c.endswith(f"--out {self.folder}/rows.json") for c in calls[:7]), calls)
        self.assertEqual(calls[7], f"{self.folder}/subvocal {self.folder}")

    def test_the_sanitizer_runs_on_tiny_shapes(self):
        self.script("compute-sanitizer", f'echo "$@" >>{self.calls}\n')
        code, said = self.check()
        self.assertEqual(code, 0, said)
        calls = [c for c in self.calls.read_text().splitlines() if c.startswith("--tool")]
        self.assertEqual([re.match(r"--tool (\w+)", c)[1] for c in calls], list(TOOLS))
        self.assertTrue(all(c.endswith("gpu_check --tiny") for c in calls), calls)

    def test_an_error_of_the_sanitizer_fails(self):
        self.script("compute-sanitizer", '[ "$2" = racecheck ] || exit 0\necho "RACECHECK SUMMARY: 1 hazard"\nexit 9\n')
        code, said = self.check()
        self.assertEqual(code, 1, said)
        self.assertIn("compute-sanitizer racecheck: FAILED", said)
        self.assertIn("11 passed, 1 failed, 0 skipped", said)

    def test_a_sanitizer_that_cannot_run_here_is_skipped_with_what_it_said(self):
        self.script("compute-sanitizer", 'echo "========= Error: Device not supported"\nexit 255\n')
        code, said = self.check()
        self.assertEqual(code, 0, said)
        self.assertIn("memcheck: Skipped: ========= Error: Device not supported", said)

    def test_a_failed_part_is_a_failure_and_the_others_still_run(self):
        self.script("compute-sanitizer", "exit 0\n")
        self.script("gpu_bench", '[ "$2" = limits ] || exit 0\nexit 3\n')
        self.script("gpu_check", '[ "$2" = stress ] || exit 0\nexit 1\n')
        code, said = self.check()
        self.assertEqual(code, 1, said)
        self.assertRegex(said, r"== 10,000 launches: FAILED after \d+ s \(exit code 1\)")
        self.assertRegex(said, r"== limits of the GPU: FAILED after \d+ s \(exit code 3\)")
        self.assertIn("10 passed, 2 failed, 0 skipped", said)

    def test_no_gpu_is_3_and_nothing_else_runs(self):
        self.script("gpu_check", "echo no driver\nexit 3\n")
        code, said = self.check()
        self.assertEqual(code, 3)
        self.assertEqual(said.splitlines()[1:], ["no driver"])

    def test_a_part_that_hangs_is_ended(self):
        self.script("compute-sanitizer", "exit 0\n")
        self.script("gpu_check", '[ "$2" = train ] || exit 0\nexec sleep 60\n')
        code, said = self.check(seconds=9)
        self.assertEqual(code, 1, said)
        self.assertRegex(said, r"training against the CPU.*: FAILED: not done within \d s")
        self.assertRegex(said, r"10,000 launches: Skipped: no time is left of 9 s")

    def test_one_op_alone_runs_the_parts_about_ops(self):
        for name in ("gpu_check", "gpu_bench"):
            self.script(name, f'echo {name} "$@" >>{self.calls}\n')
        self.check("--only", "rmsnorm")
        self.assertEqual([c for c in self.calls.read_text().splitlines() if "tiny" not in c],
                         [f"gpu_check --part ops --out {self.folder}/rows.json --only rmsnorm",
                          f"gpu_bench --part ops --out {self.folder}/rows.json --only rmsnorm"])

    def test_packed_programs_are_unpacked(self):
        for name in PROGRAMS:
            subprocess.run(["gzip", "-n", self.folder / name], check=True)
        code, said = self.check()
        self.assertEqual(code, 0, said)

    def test_rows_of_an_earlier_check_are_not_mixed_in(self):
        (self.folder / "rows.json").write_text("old")
        self.check()
        self.assertFalse((self.folder / "rows.json").exists())

    def test_the_real_programs_need_nothing_but_libc(self):
        size = 0
        for name in PROGRAMS:
            said = subprocess.run(["readelf", "-d", f"{FOLDER}/{name}"], check=True, capture_output=True, text=True).stdout
            needed = set(re.findall(r"\(NEEDED\).*\[(.*)\]", said))
            self.assertLessEqual(needed, {"libc.so.6", "libm.so.6", "ld-linux-x86-64.so.2"}, name)
            self.assertNotIn("RUNPATH", said)
            subprocess.run(["strip", "-o", self.folder / name, f"{FOLDER}/{name}"], check=True)
            subprocess.run(["gzip", "-nf", self.folder / name], check=True)
            size += os.stat(self.folder / f"{name}.gz").st_size
        self.assertLess(size, 30 << 20)

    def test_the_real_programs_say_why_there_is_no_gpu(self):
        for name in PROGRAMS[:2]:
            run = subprocess.run([f"{FOLDER}/{name}"], capture_output=True, text=True, timeout=100)
            if run.returncode != 3:
                self.skipTest("this machine has a GPU")
            self.assertRegex(run.stderr, rf"^{name}: no CUDA device: [^\n]+\n$")

    def test_the_real_programs_refuse_what_they_do_not_know(self):
        said = subprocess.run([f"{FOLDER}/gpu_check", "--list"], check=True, capture_output=True, text=True).stdout
        self.assertGreater(len(re.findall(r"(?m)^[0-9a-f]{64}  \w+$", said)), 0)
        for arguments, answer in ((["gpu_check", "--lits"], "usage"), (["gpu_check", "--part", "op"], "did you mean 'ops'"),
                                  (["gpu_bench", "--repeats", "3"], "usage"), (["gpu_bench", "--part"], "needs a value")):
            run = subprocess.run([f"{FOLDER}/{arguments[0]}", *arguments[1:]], capture_output=True, text=True)
            self.assertEqual(run.returncode, 2, arguments)
            self.assertIn(answer, run.stderr)

    def test_the_real_program_trains_resumes_and_evaluates(self):
        """program.sh, on the CPU in place of a GPU."""
        run = subprocess.run(["sh", GPU / "program.sh", f"{FOLDER}/subvocal", GPU, "cpu"], stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True, timeout=100)
        self.assertEqual(run.returncode, 0, run.stdout)
        self.assertIn("interrupted and resumed", run.stdout)


if __name__ == "__main__":
    FOLDER = sys.argv.pop(1)
    unittest.main(verbosity=0)
