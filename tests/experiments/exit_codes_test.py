"""The documented exit codes against the real program: 0 ok, 1 failed check, 2 bad input, 3 environment, 4 interrupted.

usage: exit_codes_test.py PROGRAM unittest-arguments...
"""
import hashlib
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import unittest

PROGRAM = ""
# A pack of two tiny models: a step takes about a millisecond.
TINY = ["task=prefix_parity", "data.size=8", "data.ood_size=8", "data.train_size=100", "data.test_size=20",
        "model.width=16", "model.heads=2", "train.batch=8", "seeds=0,1"]
TRAIN = ["train", *TINY, "train.steps=3"]

# name: (exit code, pieces that the message must hold, arguments)
REFUSED = {
    "no command": (2, [], []),
    "unknown command": (2, ["trian", "did you mean 'train'"], ["trian"]),
    "seeds given twice": (2, ["twice"], [*TRAIN, "--seeds", "1"]),
    "options that exclude each other": (2, ["--quick", "--full"], ["demo", "--quick", "--full"]),
    "a demo without its closing depth": (2, ["depth.test"], ["demo", "--quick", "depth.test=1..4"]),
    "a fault that names nothing": (2, ["plant_nan"], [*TRAIN, "train.plant_nan=zz"]),
    "unknown option": (2, ["--sedes"], ["train", "--sedes", "3"]),
    "option out of range": (2, ["seeds"], [*TRAIN, "--seeds", "0"]),
    "unknown key": (2, ["train.stepz", "train.steps"], [*TRAIN, "train.stepz=3"]),
    "wrong type": (2, ["train.steps", "'many'"], ["train", *TINY, "train.steps=many"]),
    "value out of range": (2, ["model.width"], [*TRAIN, "model.width=-3"]),
    "unknown choice": (2, ["model.mlp", "swiglu"], [*TRAIN, "model.mlp=swigloo"]),
    "unknown task": (2, ["prefix_party", "prefix_parity"], ["train", "task=prefix_party"]),
    "unknown model": (2, ["loped", "looped"], [*TRAIN, "model.name=loped"]),
    "settings that do not go together": (2, ["model.heads"], [*TRAIN, "model.heads=3"]),
    "an expected loss without a chance to halt": (2, ["train.supervision", "model.halt_head=true"],
                                                  [*TRAIN, "train.supervision=expected"]),
    "a sampled halt of a score that is no chance": (2, ["halt.rule", "learned is the nearest"],
                                                    [*TRAIN, "model.name=universal", "halt.rule=sample"]),
    "a halting loss of ACT": (2, ["train.halt_weight", "use 0"],
                              [*TRAIN, "model.name=universal", "train.halt_weight=0.5"]),
    "memory tokens of a GRU": (2, ["model.memory_tokens"], [*TRAIN, "model.name=ponder", "model.memory_tokens=2"]),
    "more layers than a GRU has": (2, ["depth"], [*TRAIN, "model.name=gru", "depth.train=2"]),
    "an option the task does not read": (2, ["modulus"], [*TRAIN, "data.modulus=7"]),
    "unknown thing to list": (2, ["modles", "models"], ["list", "modles"]),
    "unknown name to describe": (2, ["sudoko", "sudoku"], ["describe", "sudoko"]),
    "missing configuration": (2, ["nowhere.toml"], ["train", "nowhere.toml"]),
    "broken configuration": (2, ["broken.toml:2:"], ["train", "broken.toml"]),
    "missing data file": (2, ["nowhere.txt"], ["train", "task=sudoku", "data.file=nowhere.txt"]),
    "data file of another kind": (2, ["broken.toml"], ["train", "task=sudoku", "data.file=broken.toml"]),
    "a task without its file": (2, ["task scan", "set file=PATH", "data/README.md"], ["train", "task=scan"]),
    "resume without a run": (2, ["nowhere"], ["resume", "nowhere"]),
    "a device that is none": (2, ["'gpu'", "cuda:0"], [*TRAIN, "--device", "gpu"]),
    "a device number that is none": (2, ["'cuda:-1'"], [*TRAIN, "--device", "cuda:-1"]),
    "tensor cores without a device": (2, ["train.precision=bf16", "--device cuda"], [*TRAIN, "train.precision=bf16"]),
    "no choice of library": (2, ["cublaslt", "of"], [*TRAIN, "--cublaslt", "of"]),
    "a device for what computes nothing": (2, ["--device"], ["list", "--device", "cpu"]),
    "a GPU for what times the CPU": (2, ["bench runs on the CPU only", "./run gpu-check"],
                                     ["bench", "rmsnorm", "--device", "cuda"]),
    "a GPU for the demo": (2, ["demo runs on the CPU only", "step by step"], ["demo", "--device", "cuda"]),
    "a GPU in a program without CUDA": (3, ["no device cuda:1", "built without CUDA", "./run build cuda"],
                                        [*TRAIN, "--device", "cuda:1"]),
    "import without a layout": (2, ["--layout", "list layouts"], ["import", "nowhere"]),
    "unknown layout": (2, ["hmr", "hrm"], ["import", "nowhere", "--layout", "hmr"]),
    "import of nothing": (2, ["nowhere"], ["import", "nowhere", "--layout", "hrm"]),
    "export to nowhere": (2, ["RUN DIR"], ["export", "nowhere"]),
    "measure without a run": (2, ["nowhere"], ["eval", "nowhere"]),
}


def run(arguments, folder, **more):
    return subprocess.run([PROGRAM, *arguments], cwd=folder, capture_output=True, text=True, timeout=120, **more)


def weights(folder):
    return hashlib.sha256((pathlib.Path(folder) / "model.safetensors").read_bytes()).hexdigest()


class ExitCodes(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = pathlib.Path(holder.name)

    def expect(self, code, pieces, arguments):
        done = run(arguments, self.folder)
        said = done.stdout + done.stderr
        self.assertEqual(done.returncode, code, said)
        for piece in pieces:
            self.assertIn(piece, said)
        return said

    def test_0_what_succeeds(self):
        for arguments in (["--help"], ["--version"], ["list"], ["list", "sites"], ["list", "devices"], ["list", "kernels"], ["describe", "sudoku"],
                          ["describe", "arc"], ["train", "--help"], [*TRAIN, "--out", "a"], ["resume", "a"]):
            with self.subTest(arguments=arguments):
                self.expect(0, [], arguments)
        self.assertTrue((self.folder / "a/model.safetensors").is_file())

    def test_1_a_model_that_stops_being_finite(self):
        said = self.expect(1, ["seed 1", "step 2", "iteration 1", "block 0", "mlp_out"],
                           [*TRAIN, "train.plant_nan=1:2:loop.1.block.0.mlp_out", "--out", "a"])
        self.assertNotIn("seed 0", said)

    def test_2_bad_input_is_refused_before_anything_is_made(self):
        (self.folder / "broken.toml").write_text("task = 'sudoku'\nseeds = [0,\n", encoding="utf-8")
        for name, (code, pieces, arguments) in REFUSED.items():
            with self.subTest(name):
                self.expect(code, pieces, arguments)
        self.assertEqual([p.name for p in self.folder.iterdir()], ["broken.toml"])

    def test_2_another_run_in_the_folder_is_left_alone(self):
        self.expect(0, [], [*TRAIN, "--out", "a"])
        before = weights(self.folder / "a")
        self.expect(2, ["'a'"], [*TRAIN, "train.lr=0.5", "--out", "a"])
        self.assertEqual(weights(self.folder / "a"), before)

    def test_2_a_run_is_measured_with_the_settings_it_was_made_with(self):
        self.expect(0, [], [*TRAIN, "--out", "a"])
        spec = self.folder / "a/spec.toml"
        spec.write_text(spec.read_text(encoding="utf-8").replace("heads = 2", "heads = 4"), encoding="utf-8")
        self.expect(2, ["spec.toml", "damaged"], ["eval", "a"])

    def test_2_longer_problems_are_read_by_models_without_a_table_of_positions(self):
        longer = ["data.size=40", "data.ood_size=40", "depth.test=1,4"]
        for positions in ("none", "rope"):
            self.expect(0, [], [*TRAIN, f"model.positions={positions}", "--out", positions])
            self.expect(0, ["20 held-out examples of prefix_parity with 40 positions"], ["eval", positions, *longer])
            self.expect(0, ["20 out-of-distribution examples of prefix_parity with 16 positions"],
                        ["eval", positions, "data.ood_size=16", "data.split=ood"])
        self.expect(0, [], [*TRAIN, "--out", "table"])
        for more in ([], ["untrained=true"]):
            self.expect(2, ["made for the 8 positions", "'embed.positions' is (2, 8, 16)", "40", "model.positions=none"],
                        ["eval", "table", *longer, *more])

    def test_2_an_output_replaces_nothing_of_another_kind(self):
        self.expect(0, [], [*TRAIN, "--out", "a"])
        before = weights(self.folder / "a")
        self.expect(2, ["no report"], ["report", "a", "--out", "a/model.safetensors"])
        self.assertEqual(weights(self.folder / "a"), before)
        self.expect(2, ["folder"], ["report", "a", "--out", "a"])
        self.expect(2, ["no part of a recording"], ["collect", "a", "--out", "a"])
        (self.folder / "file").write_text("mine", encoding="utf-8")
        self.expect(2, ["'file' is a file"], [*TRAIN, "--out", "file"])
        self.expect(2, ["'file' is a file"], ["collect", "a", "--out", "file"])
        self.expect(0, [], ["report", "a"])
        self.expect(0, [], ["report", "a"])  # a report replaces a report

    def test_2_a_run_that_has_not_ended_is_not_measured(self):
        self.expect(0, [], [*TRAIN, "--out", "a"])
        (self.folder / "a/model.safetensors").unlink()
        self.expect(2, ["resume a"], ["eval", "a"])

    def test_3_measurements_of_one_run_take_turns(self):
        self.expect(0, [], [*TRAIN, "--out", "a"])
        long = subprocess.Popen([PROGRAM, "eval", "a", "depth.test=200000"], cwd=self.folder,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(long.communicate)
        self.addCleanup(long.kill)
        lock = self.folder / "a/lock"
        deadline = time.monotonic() + 60
        while not lock.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.2)
        self.expect(3, [str(long.pid)], ["eval", "a"])
        long.send_signal(signal.SIGINT)
        _, said = long.communicate(timeout=60)
        self.assertEqual(long.returncode, 4, said)
        self.assertIn("interrupted", said)
        self.expect(0, [], ["eval", "a"])

    def test_2_sites_that_match_nothing(self):
        self.expect(0, [], [*TRAIN, "--out", "a"])
        self.expect(2, ["mlp_oot", "mlp_out"], ["collect", "a", "sites=loop.*.block.0.mlp_oot"])
        self.expect(2, ["blok", "block"], ["collect", "a", "sites=loop.*.blok.0.mlp_out"])
        self.expect(2, ["block.7"], ["collect", "a", "sites=loop.*.block.7.mlp_out"])

    def test_2_a_damaged_checkpoint(self):
        self.expect(0, [], [*TRAIN, "--out", "a"])
        path = next((self.folder / "a").glob("checkpoint-*.safetensors"))
        damaged = bytearray(path.read_bytes())
        damaged[-10] ^= 1
        path.write_bytes(damaged)
        self.expect(2, [path.name], ["resume", "a"])

    def test_3_a_full_disk_leaves_the_earlier_run_intact(self):
        disk = self.folder / "disk"
        disk.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "none", str(disk)]
        if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
            self.skipTest("a small file system cannot be mounted here")
        self.addCleanup(subprocess.run, ["umount", str(disk)], check=False)
        self.expect(0, [], [*TRAIN, "--out", "disk/a"])
        before = weights(disk / "a")
        with open(disk / "ballast", "wb", buffering=0) as ballast:
            try:
                while True:
                    ballast.write(bytes(4096))
            except OSError:
                pass
        self.expect(3, ["disk/b", "No space left"], [*TRAIN, "--out", "disk/b"])
        self.assertEqual(weights(disk / "a"), before)

    def test_4_an_interrupted_run_is_resumed_to_the_same_bits(self):
        steps = 4000  # some seconds
        training = ["train", *TINY, f"train.steps={steps}", "train.checkpoint_every=0"]
        with subprocess.Popen([PROGRAM, *training, "--out", "a"], cwd=self.folder, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True) as going:
            metrics = self.folder / "a/metrics.jsonl"
            for _ in range(600):
                if metrics.is_file() and metrics.stat().st_size > 0:
                    break
                time.sleep(0.05)
            going.send_signal(signal.SIGINT)
            said, _ = going.communicate(timeout=60)
        self.assertEqual(going.returncode, 4, said)
        self.assertIn("resume a", said)
        self.expect(0, [], ["resume", "a"])
        self.expect(0, [], [*training, "--out", "b"])
        self.assertEqual(weights(self.folder / "a"), weights(self.folder / "b"))


if __name__ == "__main__":
    PROGRAM = str(pathlib.Path(sys.argv.pop(1)).resolve())
    unittest.main(verbosity=0)
