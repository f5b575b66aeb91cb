"""models/layouts/convert_pickle.py on what torch.save writes: a plain state dict, one inside a training state, shared and
half-precision tensors, and files without one.

usage: convert_pickle_test.py PATH/TO/convert_pickle.py. Exit 77: PyTorch is not installed (skipped).
"""
import json
import pathlib
import struct
import subprocess
import sys
import tempfile
import unittest

try:
    import torch
except ImportError:
    print("SKIPPED: PyTorch is not importable by", sys.executable)
    sys.exit(77)

SCRIPT = ""
KINDS = {"F64": torch.float64, "F32": torch.float32, "BF16": torch.bfloat16, "I64": torch.int64}


def read(path):
    raw = path.read_bytes()
    (size,) = struct.unpack("<Q", raw[:8])
    header = json.loads(raw[8 : 8 + size])
    header.pop("__metadata__")
    out = {}
    for name, entry in header.items():
        begin, end = (8 + size + at for at in entry["data_offsets"])
        flat = torch.frombuffer(bytearray(raw[begin:end]), dtype=KINDS[entry["dtype"]])
        out[name] = flat.reshape(entry["shape"])
    return out


class Convert(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.source = pathlib.Path(self.folder.name) / "step_10"
        self.target = pathlib.Path(self.folder.name) / "out.safetensors"

    def convert(self, what):
        torch.save(what, self.source)
        run = [sys.executable, SCRIPT, str(self.source), str(self.target)]
        return subprocess.run(run, capture_output=True, text=True)

    def state(self):
        tied = torch.randn(4, 3)
        return {
            "_orig_mod.embed": tied,
            "_orig_mod.head": tied,
            "_orig_mod.init": torch.randn(3).bfloat16(),
            "_orig_mod.scale": torch.tensor(0.5, dtype=torch.float64),
            "_orig_mod.turned": torch.randn(2, 5).T,
            "_orig_mod.count": torch.tensor([7]),
        }

    def test_names_and_values_stay(self):
        state = self.state()
        self.assertEqual(self.convert(state).returncode, 0)
        got = read(self.target)
        self.assertEqual(sorted(got), sorted(state))
        for name, value in state.items():
            self.assertEqual(got[name].dtype, value.dtype)
            self.assertTrue(torch.equal(got[name], value), name)

    def test_half_becomes_single_and_a_training_state_is_searched(self):
        half = torch.randn(3).half()
        self.assertEqual(self.convert({"step": 3, "model_state": {"w": half}, "config": {}}).returncode, 0)
        self.assertTrue(torch.equal(read(self.target)["w"], half.float()))

    def test_a_file_without_a_state_dict_is_refused(self):
        run = self.convert({"step": 3, "config": {"a": 1}})
        self.assertNotEqual(run.returncode, 0)
        self.assertIn("no state dict", run.stderr)
        self.assertFalse(self.target.exists())


if __name__ == "__main__":
    SCRIPT = sys.argv.pop(1)
    unittest.main()
