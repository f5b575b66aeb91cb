"""The gate on what ptxas says of a kernel: laws on a recorded log, and a planted kernel that spills where there is nvcc.

usage: ptxas_gate_test.py NVCC unittest-arguments...      (only the planted kernel needs the compiler)
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
TOOLS = HERE.parents[1] / "kernels" / "cuda"
NVCC = ""

# ptxas 13.0 on a kernel in 40 registers, as written by ptxas_log.py.
CLEAN = """ptxas info    : 0 bytes gmem
ptxas info    : Compiling entry function '_ZN2sv4cuda3runINS_3ops7ForwardEEEvNT_4ArgsE' for 'sm_80'
ptxas info    : Function properties for _ZN2sv4cuda3runINS_3ops7ForwardEEEvNT_4ArgsE
    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 40 registers, used 1 barriers, 384 bytes smem, 368 bytes cmem[0]
"""
SERIALISED = ("ptxas info    : (C7512) Potential Performance Loss: wgmma.mma_async instructions are serialized due to "
              "insufficient register resources for the wgmma pipeline in the function 'f'\n")


class PtxasGate(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.build = pathlib.Path(folder.name)
        entry = {"directory": folder.name, "file": "forward.cu", "command": "nvcc -Xptxas=-v -c forward.cu -o forward.cu.o"}
        (self.build / "compile_commands.json").write_text(json.dumps([entry]))
        (self.build / "forward.cu.o").touch()

    def gate(self, text=None, registers=128, kernels=None):
        if text is not None:
            (self.build / "forward.cu.o.ptxas.log").write_text(text)
        limits = self.build / "limits.json"
        limits.write_text(json.dumps({"registers": registers, "kernels": kernels or {}}))
        run = subprocess.run([sys.executable, TOOLS / "ptxas_gate.py", self.build, limits],
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        return run.returncode, run.stdout

    def refused(self, wanted, *arguments, **options):
        code, said = self.gate(*arguments, **options)
        self.assertEqual(code, 1, said)
        self.assertRegex(said, wanted)

    def test_a_clean_kernel_passes_and_stands_in_the_table(self):
        code, said = self.gate(CLEAN)
        self.assertEqual(code, 0, said)
        self.assertRegex(said, r"Forward +sm_80 +40 +384 +0 +0\n")

    def test_a_spill_is_refused(self):
        self.refused(r"Forward \(sm_80\): 20 bytes of spills", CLEAN.replace("0 bytes spill loads", "20 bytes spill loads"))

    def test_more_registers_than_the_cap_are_refused(self):
        self.refused(r"Forward \(sm_80\): 40 registers, the cap is 39", CLEAN, registers=39)

    def test_an_exception_needs_a_reason(self):
        self.refused("Forward has no reason", CLEAN, kernels={"Forward": {"registers": 40}})
        own = {"registers": 40, "reason": "holds a tile of 32 values"}
        self.assertEqual(self.gate(CLEAN, registers=39, kernels={"Forward": own})[0], 0)

    def test_an_exception_for_no_kernel_is_refused(self):
        self.refused("Backward: in the limits", CLEAN, kernels={"Backward": {"registers": 40, "reason": "a tile"}})

    def test_serialised_wgmma_is_refused(self):
        self.refused(r"forward.cu.o: .*C7512", CLEAN + SERIALISED)

    def test_an_object_without_its_log_is_refused(self):
        self.refused("no log of this forward.cu.o")
        (self.build / "forward.cu.o.ptxas.log").write_text(CLEAN)
        os.utime(self.build / "forward.cu.o.ptxas.log", (1, 1))
        self.refused("no log of this forward.cu.o")

    def test_a_build_without_kernels_is_refused(self):
        self.refused("no kernel was compiled", "ptxas info    : 0 bytes gmem\n")

    def test_a_planted_kernel_that_spills_is_caught(self):
        subprocess.run([sys.executable, TOOLS / "ptxas_log.py", NVCC, "-std=c++20", "-gencode", "arch=compute_80,code=sm_80",
                        "-Xptxas=-v,-warn-spills", "-c", HERE / "spilling_kernel.cu", "-o", self.build / "forward.cu.o"],
                       check=True)
        self.refused(r"SpillingKernel \(sm_80\): \d+ bytes of spills")


if __name__ == "__main__":
    NVCC = sys.argv.pop(1)
    unittest.main(verbosity=0)
