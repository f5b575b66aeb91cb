"""Times the same models in Subvocal and in PyTorch, alternating, in one run.

Usage: pytorch_peer.py PEER_BENCH [--shapes R1,R2] [--repeats 7] [--no-compile] [--out FILE.json]

Same weights and tokens; logits and loss are compared before anything is timed. PyTorch runs as installed ("default") and
as the best of a few environments ("tuned": allocator thresholds raised, and either one process with all cores or one
process a core, each with its share of the batch and no exchange of gradients, which flatters it). Every figure is a
median of alternating measurements.
"""
import argparse
import json
import math
import os
import pathlib
import resource
import statistics
import struct
import subprocess
import sys
import tempfile
import time

CORES = os.cpu_count()
LOOPS = 8
HEADS = {"R1": 4, "R2": 4, "R3": 8, "P1": 4, "P2": 4, "P3": 8}
LAYERS = {"R1": 2, "R2": 2, "R3": 2, "P1": 1, "P2": 2, "P3": 2}
BATCH = {"R1": 64, "R2": 32, "R3": 8, "P1": 64, "P2": 32, "P3": 32}
# Seconds before a measurement: threads of the side that came before spin on (libgomp: about 15 ms) and would share a core.
REST = 0.1
ALLOCATOR = {
    "MALLOC_TRIM_THRESHOLD_": "4294967296",
    "MALLOC_MMAP_THRESHOLD_": "4294967296",
    "MALLOC_TOP_PAD_": "268435456",
}


def read_safetensors(path):
    import torch

    raw = pathlib.Path(path).read_bytes()
    (size,) = struct.unpack("<Q", raw[:8])
    header = json.loads(raw[8 : 8 + size])
    header.pop("__metadata__", None)
    kinds = {"F32": torch.float32, "I32": torch.int32}
    out = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        data = bytearray(raw[8 + size + begin : 8 + size + end])
        out[name] = torch.frombuffer(data, dtype=kinds[entry["dtype"]]).reshape(entry["shape"])
    return out


def make_model(dump, heads, layers):
    import torch
    import torch.nn.functional as F
    from torch import nn

    class Block(nn.Module):
        def __init__(self, p, name, cos, sin):
            super().__init__()

            def get(key):
                return p[name + key][0].clone()

            self.qkv = nn.Parameter(torch.cat([get(f".attn.{c}.weight") for c in "qkv"]))
            self.out = nn.Parameter(get(".attn.out.weight"))
            self.up = nn.Parameter(get(".mlp.up.weight"))
            self.down = nn.Parameter(get(".mlp.down.weight"))
            norms = [key for key in p if key.startswith(name + ".norm.")]
            self.places = {key.split(".")[-2] for key in norms}
            for place in self.places:
                self.register_parameter("gain_" + place, nn.Parameter(get(f".norm.{place}.gain")))
            self.cos, self.sin = cos, sin

        def norm(self, place, x):
            if place not in self.places:
                return x
            return F.rms_norm(x, x.shape[-1:], getattr(self, "gain_" + place), 1e-6)

        def rotate(self, x):
            a, b = x.chunk(2, -1)
            return torch.cat([a * self.cos - b * self.sin, b * self.cos + a * self.sin], -1)

        def forward(self, x):
            batch, tokens, width = x.shape
            qkv = F.linear(self.norm("attn_in", x), self.qkv)
            q, k, v = qkv.view(batch, tokens, 3, heads, width // heads).permute(2, 0, 3, 1, 4)
            y = F.scaled_dot_product_attention(self.rotate(q), self.rotate(k), v)
            y = F.linear(y.transpose(1, 2).reshape(batch, tokens, width), self.out)
            x = self.norm("attn_out", x + y)
            gate, up = F.linear(self.norm("mlp_in", x), self.up).chunk(2, -1)
            return self.norm("mlp_out", x + F.linear(F.silu(gate) * up, self.down))

    class Model(nn.Module):
        def __init__(self, dump):
            super().__init__()
            p = {k[len("param.") :]: v for k, v in dump.items() if k.startswith("param.")}
            tokens = dump["tokens"].shape[-1]
            width = p["embed.tokens"].shape[-1]
            half = width // heads // 2
            rate = 10000.0 ** (-torch.arange(half, dtype=torch.float64) / half)
            angle = torch.arange(tokens, dtype=torch.float64)[:, None] * rate
            cos, sin = angle.cos().float(), angle.sin().float()
            self.embed = nn.Parameter(p["embed.tokens"][0].clone())
            self.blocks = nn.ModuleList(Block(p, f"core.{i}", cos, sin) for i in range(layers))
            self.state_gain = nn.Parameter(p["state_norm.gain"][0].clone())
            self.head_gain = nn.Parameter(p["readout.norm.gain"][0].clone())
            self.head = nn.Parameter(p["readout.head.weight"][0].clone())
            self.width = width

        def update(self, h, e):
            x = h + e
            for block in self.blocks:
                x = block(x)
            return F.rms_norm(x, (self.width,), self.state_gain, 1e-6)

        def forward(self, tokens, loops):
            e = F.embedding(tokens, self.embed)
            h = torch.zeros_like(e)
            for _ in range(loops):
                h = self.update(h, e)
            return F.linear(F.rms_norm(h, (self.width,), self.head_gain, 1e-6), self.head)

    return Model(dump)


def worker():
    """Commands as JSON lines on standard input; see controller()."""
    import torch
    import torch.nn.functional as F

    state = {}
    for line in sys.stdin:
        c = json.loads(line)
        if c["do"] == "open":
            if c["threads"]:
                torch.set_num_threads(c["threads"])
            dump = read_safetensors(c["file"])
            model = make_model(dump, c["heads"], c["layers"])
            tokens, targets = dump["tokens"][0].long(), dump["targets"].long()
            with torch.no_grad():
                logits = model(tokens, LOOPS)
                want = dump["logits"][0]
                error = ((logits - want).abs().max() / want.abs().max()).item()
                loss = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=-1)
            gap = abs(loss.item() - dump["loss"].item())
            share = slice(0, math.ceil(len(tokens) / c["parts"]))
            tokens, targets = tokens[share], targets[share]
            if c["compile"]:
                model.update = torch.compile(model.update, dynamic=False)
            optimiser = torch.optim.AdamW(
                model.parameters(), lr=3e-3, betas=(0.9, 0.95), weight_decay=0.01, fused=True
            )
            state = dict(model=model, tokens=tokens, targets=targets, optimiser=optimiser)
            answer = {"error": error, "loss_gap": gap, "torch": torch.__version__}
        elif c["do"] == "train":
            start = time.perf_counter()
            for _ in range(c["n"]):
                state["optimiser"].zero_grad(set_to_none=True)
                logits = state["model"](state["tokens"], LOOPS)
                loss = F.cross_entropy(
                    logits.flatten(0, 1), state["targets"].flatten(), ignore_index=-1
                )
                loss.backward()
                torch.nn.utils.clip_grad_norm_(state["model"].parameters(), 1.0)
                state["optimiser"].step()
            answer = time.perf_counter() - start
        elif c["do"] == "memory":
            with open("/proc/self/statm") as f:
                before = int(f.read().split()[1]) * resource.getpagesize() // 1024
            for _ in range(2):
                state["optimiser"].zero_grad(set_to_none=True)
                logits = state["model"](state["tokens"], c["n"])
                F.cross_entropy(logits.flatten(0, 1), state["targets"].flatten()).backward()
                state["optimiser"].step()
            answer = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        elif c["do"] == "infer":
            with torch.inference_mode():
                start = time.perf_counter()
                state["model"](state["tokens"], c["n"])
                answer = time.perf_counter() - start
        print(json.dumps(answer), flush=True)


class Ours:
    def __init__(self, program):
        environment = dict(os.environ, OMP_NUM_THREADS=str(CORES), GOMP_SPINCOUNT="2000")
        self.process = subprocess.Popen(
            [program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().strip()
        if not answer:
            sys.exit("peer_bench stopped")
        return answer

    def time(self, kind, n):
        return float(self.ask(f"{kind} {n}"))


class Torch:
    """One or several worker processes that share the cores and a batch."""

    def __init__(self, processes, threads, allocator, compiled):
        environment = dict(os.environ)
        if allocator:
            environment.update(ALLOCATOR)
        self.threads, self.compiled = threads, compiled
        self.workers = [
            subprocess.Popen(
                [sys.executable, __file__, "--worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env=environment,
            )
            for _ in range(processes)
        ]

    def ask(self, command):
        for w in self.workers:
            w.stdin.write(json.dumps(command) + "\n")
            w.stdin.flush()
        answers = [w.stdout.readline() for w in self.workers]
        if not all(answers):
            sys.exit("a PyTorch worker stopped")
        return [json.loads(a) for a in answers]

    def open(self, file, shape, batch):
        parts = min(len(self.workers), batch)
        command = dict(do="open", file=file, threads=self.threads, compile=self.compiled)
        command.update(heads=HEADS[shape], layers=LAYERS[shape], parts=parts)
        return self.ask(command)[0]

    def time(self, kind, n):
        start = time.perf_counter()
        self.ask(dict(do=kind, n=n))
        return time.perf_counter() - start

    def close(self):
        for w in self.workers:
            w.stdin.close()
            w.wait()


def variants(compiled):
    kinds = [False, True] if compiled else [False]
    out = {}
    for c in kinds:
        name = "compiled" if c else "eager"
        out[f"{name} default"] = dict(processes=1, threads=0, allocator=False, compiled=c)
        out[f"{name} tuned, 1 process"] = dict(processes=1, threads=CORES, allocator=True, compiled=c)
        out[f"{name} tuned, 1 a core"] = dict(processes=CORES, threads=1, allocator=True, compiled=c)
    return out


def compare(ours, shape, batch, kind, options, folder):
    """Medians of seconds: ours and every variant, measured in turn."""
    file = f"{folder}/{shape}-{batch}.safetensors"
    ours.ask(f"open {shape} {batch} {LOOPS} {CORES} {file}")
    peers = {}
    for name, settings in variants(not options.no_compile).items():
        if batch == 1 and settings["processes"] > 1:
            continue
        peer = Torch(**settings)
        answer = peer.open(file, shape, batch)
        if not (answer["error"] < 1e-4 and answer["loss_gap"] < 1e-4):
            sys.exit(f"{shape}: outputs differ: {answer}")
        peers[name] = peer
    iterations = 256 if batch == 1 else 16
    n = 1 if kind == "train" else iterations
    for side in [ours, *peers.values()]:
        side.time(kind, n)
        side.time(kind, n)
    times = {name: [] for name in ["ours", *peers]}
    for _ in range(options.repeats):
        for name, peer in peers.items():
            for who, side in [("ours", ours), (name, peer)]:
                time.sleep(REST)
                side.time(kind, n)  # wakes the side's threads and fills its caches; not counted
                times[who].append(side.time(kind, n))
    for peer in peers.values():
        peer.close()
    scale = 1 if kind == "train" else iterations
    return {name: statistics.median(t) / scale for name, t in times.items()}


def memory(options, shape="R2", loops=32):
    """Peak memory that training steps add, in MiB: PyTorch eager against ours, full and recomputing."""
    with tempfile.TemporaryDirectory() as folder:
        file = f"{folder}/{shape}.safetensors"
        Ours(options.program).ask(f"open {shape} {BATCH[shape]} {LOOPS} {CORES} {file}")
        peer = Torch(1, 0, False, False)
        peer.open(file, shape, BATCH[shape])
        theirs = peer.ask(dict(do="memory", n=loops))[0] / 1024
        peer.close()
    print(f"{shape}, batch {BATCH[shape]}, {loops} loops: PyTorch eager {theirs:.0f} MiB", end="")
    for gradient in ["full", "checkpoint:1", "checkpoint:4"]:
        ours = Ours(options.program)  # a fresh process: its peak is of this setting alone
        ours.ask(f"open {shape} {BATCH[shape]} {loops} {CORES} - {gradient}")
        print(f", ours {gradient} {float(ours.ask('memory')) / 1024:.0f} MiB", end="", flush=True)
    print()


def main():
    if "--worker" in sys.argv:
        return worker()
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--shapes", default="R1,R2,R3,P1,P2,P3")
    parser.add_argument("--kinds", default="train,infer,infer1")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--no-compile", action="store_true")
    parser.add_argument("--memory", action="store_true", help="compare peak memory instead")
    parser.add_argument("--out")
    options = parser.parse_args()
    if options.memory:
        memory(options)
        return 0
    ours = Ours(options.program)
    results = []
    print(f"{CORES} cores, {LOOPS} loops; seconds are medians of at least {options.repeats}")
    with tempfile.TemporaryDirectory() as folder:
        for shape in options.shapes.split(","):
            for kind in options.kinds.split(","):
                batch = 1 if kind == "infer1" else BATCH[shape]
                verb = "train" if kind == "train" else "infer"
                medians = compare(ours, shape, batch, verb, options, folder)
                results.append(dict(shape=shape, kind=kind, batch=batch, seconds=medians))
                mine = medians.pop("ours")
                row = ", ".join(f"{name} {t / mine:.2f}x" for name, t in medians.items())
                print(f"{shape} {kind:6} batch {batch:3}: ours {mine * 1e3:9.3f} ms; {row}", flush=True)
                medians["ours"] = mine
    if options.out:
        pathlib.Path(options.out).write_text(json.dumps(results, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
