"""Common part of the references: what a family's own script (tests/reference/<family>.py) needs to write fixtures.

A reference is written from the family's published formulas, in PyTorch, in double. `generate(family)` makes one
safetensors file per configuration under fixtures/, which tests/models/reference_test.cpp compares with the C++ model:

  metadata  family; settings "model.width=8 train.loss=softmax ..." over the whole spec; task "positions=5 vocab=4 ..."
  param.N   f32, values that are exact in f32 and f64, without the model axis
  tokens    i32 (B,T), the batch of training step 0
  logits.R  f64 (B,T,V), readout after update R, the last of each of the first 8 periods of the schedule, on that batch;
            halt.R: the halting score, (B) or (B,T); both are zero at padded positions
  steps     i32 (B), optional: the update at which each row stops under the rule of `settings`
  grad.N    f64, of the loss of training step 0
  losses    f64 (200), of the training steps 0..199

A family is a module (or object) with
  name, configurations() -> list of (settings, task) dictionaries
  parameters(spec) -> {name: (shape, mean, standard deviation)}
  run(spec, p, batch, periods) -> list of dictionaries, one per period, with "logits" and what loss and steps read
  loss(spec, p, readouts, batch) -> scalar
and, where they apply,
  steps(spec, readouts, batch) -> (B): the period after which each row stops, where settings name a halt.rule
  period(spec) -> updates per period of the schedule, if not 1
  curve(spec, p) -> the losses, where training is more than runs on drawn batches with AdamW
  periods(spec) -> periods compared, if there are fewer than 8
Run by hand: /path/to/python tests/reference/<family>.py
"""
import json
import pathlib
import struct

import numpy as np
import torch

FOLDER = pathlib.Path(__file__).parent / "fixtures"
PERIODS = 8  # compared
CURVE = 200  # training steps compared
EXAMPLES = 64  # in the training set

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)


# --- random numbers: Philox4x32-10 keyed by (seed, stream, step, index) (Salmon et al., SC 2011) -----------------------


def stream_of(name):
    """FNV-1a of a name."""
    h = 2166136261
    for byte in name.encode():
        h = ((h ^ byte) * 16777619) & 0xFFFFFFFF
    return h


def philox(counter, key):
    c, k = list(counter), list(key)
    for _ in range(10):
        p0, p1 = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(p1 >> 32) ^ c[1] ^ k[0], p1 & 0xFFFFFFFF, (p0 >> 32) ^ c[3] ^ k[1], p0 & 0xFFFFFFFF]
        k = [(k[0] + 0x9E3779B9) & 0xFFFFFFFF, (k[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return c


class Rng:
    """The draws of kernels/core/rng.h, addressed by index."""

    def __init__(self, seed, stream, step=0):
        self.key = (seed & 0xFFFFFFFF, seed >> 32)
        self.stream, self.step = stream_of(stream), step

    def bits(self, index):
        high = ((self.step >> 32) ^ (index >> 34)) & 0xFFFFFFFF
        counter = ((index >> 2) & 0xFFFFFFFF, self.step & 0xFFFFFFFF, high, self.stream)
        return philox(counter, self.key)[index & 3]

    def uniform(self, index):
        return (self.bits(index) >> 8) * 2.0**-24

    def below(self, index, n):
        return (self.bits(index) * n) >> 32

    def normal(self, index):
        u, v = 1.0 - self.uniform(2 * index), self.uniform(2 * index + 1)
        return np.sqrt(-2 * np.log(u)) * np.cos(6.283185307179586 * v)


# --- settings and data ------------------------------------------------------------------------------------------------

TRAIN = {
    "train.steps": CURVE,
    "train.batch": 4,
    "train.lr": 0.003,
    "train.warmup": 10,
    "train.decay": 0.4,
    "train.floor": 0.02,
    "train.weight_decay": 0.01,
    "train.beta1": 0.9,
    "train.beta2": 0.95,
    "train.clip": 1.0,
    "train.loss": "softmax",
}
TASK = {"positions": 5, "vocab": 4, "answers": 3, "causal": 0, "padded": 0}
SEED = 11  # of the model: keys the order of the data, the drawn depths and the noise


class Spec:
    """Settings by key, e.g. spec["model.width"], and the task's sizes as attributes."""

    def __init__(self, family, settings, task):
        self.family = family
        self.settings = {**TRAIN, **settings, "model.name": family}
        self.task = {**TASK, **task}
        self.__dict__.update(self.task)

    def __getitem__(self, key):
        return self.settings[key]

    def get(self, key, default):
        return self.settings.get(key, default)


def random_settings(seed, choices):
    """One value for every key, drawn from its choices."""
    rng = np.random.default_rng(seed)
    return {key: values[rng.integers(len(values))] for key, values in choices.items()}


def mixed(example, position):
    """32 well-mixed bits of two integers."""
    x = (example * 0x9E3779B1 + position * 0x85EBCA77 + 1) & 0xFFFFFFFF
    for shift, factor in ((15, 0x2C1B3C6D), (12, 0x297A2D39)):
        x = ((x ^ (x >> shift)) * factor) & 0xFFFFFFFF
    return x ^ (x >> 15)


class Batch:
    """Examples by number. tokens (B,T); targets (B,T), -1: not scored; lengths (B); ids (B)."""

    def __init__(self, spec, ids, step=0):
        size = spec.positions
        self.step, self.ids = step, ids
        self.lengths = torch.tensor([size - (i % 3 if spec.padded else 0) for i in ids])
        rows = [[mixed(i, t) % spec.vocab for t in range(size)] for i in ids]
        self.tokens = torch.tensor(rows)
        self.tokens[torch.arange(size) >= self.lengths[:, None]] = 0
        before = torch.cat([self.tokens[:, :1], self.tokens[:, :-1]], 1)
        self.targets = (self.tokens + before) % spec.answers
        skipped = torch.tensor([[(i + t) % 4 == 3 for t in range(size)] for i in ids])
        self.targets[skipped | (torch.arange(size) >= self.lengths[:, None])] = -1

    def per_answer(self):
        """One over the number of scored answers."""
        return 1.0 / (self.targets >= 0).sum().item()


def drawn(spec, step):
    """The batch that the trainer draws at a step."""
    rng = Rng(SEED, "data", step)
    return Batch(spec, [rng.below(b, EXAMPLES) for b in range(spec["train.batch"])], step)


# --- losses -----------------------------------------------------------------------------------------------------------


def answer_loss(spec, logits, batch):
    """(B,T), 0 where no answer is scored."""
    if spec["train.loss"] == "stablemax":
        s = torch.where(logits >= 0, logits + 1, 1 / (1 - logits.clamp(max=0)))
        log_p = torch.log(s / s.sum(-1, keepdim=True))
    else:
        log_p = torch.log_softmax(logits, -1)
    loss = -log_p.gather(-1, batch.targets.clamp(min=0)[..., None]).squeeze(-1)
    return torch.where(batch.targets >= 0, loss, torch.zeros(()))


def mean_loss(spec, logits, batch):
    return answer_loss(spec, logits, batch).sum() * batch.per_answer()


# --- training ---------------------------------------------------------------------------------------------------------


def rate(spec, step):
    """Learning rate: linear warm-up, then linear decay over the last part of the run."""
    factor = min(1.0, (step + 1) / spec["train.warmup"]) if spec["train.warmup"] else 1.0
    falling = spec["train.decay"] * spec["train.steps"]
    if falling > 0:
        left = (spec["train.steps"] - step) / falling
        factor = min(factor, spec["train.floor"] + (1 - spec["train.floor"]) * min(left, 1.0))
    return spec["train.lr"] * factor


class AdamW:
    """Decoupled decay on matrices of linear maps only; the gradient is clipped by its norm over all parameters."""

    def __init__(self, spec, p, decays=lambda name: name.endswith(".weight")):
        self.spec, self.p = spec, p
        self.m = {n: torch.zeros_like(x) for n, x in p.items()}
        self.v = {n: torch.zeros_like(x) for n, x in p.items()}
        self.decay = {n: spec["train.weight_decay"] if decays(n) else 0.0 for n in p}

    def step(self, grads, step):
        s = self.spec
        norm = torch.sqrt(sum((g**2).sum() for g in grads.values())).item()
        scale = s["train.clip"] / norm if 0 < s["train.clip"] < norm else 1.0
        b1, b2, lr = s["train.beta1"], s["train.beta2"], rate(s, step)
        with torch.no_grad():
            for n, x in self.p.items():
                g = grads[n] * scale
                self.m[n] = b1 * self.m[n] + (1 - b1) * g
                self.v[n] = b2 * self.v[n] + (1 - b2) * g * g
                m, v = self.m[n] / (1 - b1 ** (step + 1)), self.v[n] / (1 - b2 ** (step + 1))
                x.mul_(1 - lr * self.decay[n]).sub_(lr * m / (v.sqrt() + 1e-8))


def gradients(loss, p):
    found = torch.autograd.grad(loss, list(p.values()), allow_unused=True)
    return {n: torch.zeros_like(x) if g is None else g for (n, x), g in zip(p.items(), found)}


def curve(family, spec, start):
    """Losses of the training steps, from the weights `start`."""
    p = {n: x.clone().requires_grad_() for n, x in start.items()}
    optimiser = AdamW(spec, p)
    losses = []
    for step in range(CURVE):
        batch = drawn(spec, step)
        loss = family.loss(spec, p, family.run(spec, p, batch, spec["depth.train"]), batch)
        losses.append(loss.item())
        optimiser.step(gradients(loss, p), step)
    return np.array(losses)


# --- fixtures ---------------------------------------------------------------------------------------------------------


def write(path, tensors, metadata):
    """A safetensors file, larger element sizes first."""
    kinds = {"float64": "F64", "float32": "F32", "int32": "I32"}
    arrays = {n: np.ascontiguousarray(x) for n, x in tensors.items()}
    header, at, data = {"__metadata__": metadata}, 0, b""
    for name in sorted(arrays, key=lambda n: (-arrays[n].itemsize, n)):
        x = arrays[name]
        header[name] = {
            "dtype": kinds[str(x.dtype)],
            "shape": list(x.shape),
            "data_offsets": [at, at + x.nbytes],
        }
        at += x.nbytes
        data += x.tobytes()
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def initial(family, spec, seed):
    """Random weights, exact in single precision."""
    rng = np.random.default_rng(seed)
    return {
        name: torch.tensor((mean + std * rng.standard_normal(shape)).astype(np.float32).astype(np.float64))
        for name, (shape, mean, std) in family.parameters(spec).items()
    }


def fixture(family, spec, seed):
    start = initial(family, spec, seed)
    batch = drawn(spec, 0)
    out = {"tokens": batch.tokens.numpy().astype(np.int32)}
    out.update({f"param.{n}": x.numpy().astype(np.float32) for n, x in start.items()})
    period = family.period(spec) if hasattr(family, "period") else 1
    periods = family.periods(spec) if hasattr(family, "periods") else PERIODS
    with torch.no_grad():
        readouts = family.run(spec, start, batch, periods)
    used = torch.arange(spec.positions) < batch.lengths[:, None]
    for i, y in enumerate(readouts, 1):
        out[f"logits.{i * period}"] = (y["logits"] * used[..., None]).numpy()
        if "halt" in y:
            by_position = y["halt"].dim() == 2
            out[f"halt.{i * period}"] = (y["halt"] * used if by_position else y["halt"]).numpy()
    if hasattr(family, "steps") and spec.get("halt.rule", "none") != "none":
        out["steps"] = np.array([i * period for i in family.steps(spec, readouts, batch)], np.int32)
    p = {n: x.clone().requires_grad_() for n, x in start.items()}
    loss = family.loss(spec, p, family.run(spec, p, batch, spec["depth.train"]), batch)
    out.update({f"grad.{n}": g.numpy() for n, g in gradients(loss, p).items()})
    out["losses"] = np.array(family.curve(spec, start)) if hasattr(family, "curve") else curve(family, spec, start)
    return out


def publish(family, of, published):
    """Writes fixtures/layouts/<fixture>.<layout>.safetensors for the configurations of `of`: number -> layout.
    published(spec, layout, p) -> name -> tensor as the authors' modules would save them."""
    folder = FOLDER / "layouts"
    folder.mkdir(exist_ok=True)
    for i, (settings, task) in enumerate(family.configurations(), 1):
        spec = Spec(family.name, settings, task)
        if i in of:
            p = initial(family, spec, 100 * i)
            tensors = {n: x.numpy().astype("float32") for n, x in published(spec, of[i], p).items()}
            write(folder / f"{family.name}_{i}.{of[i]}.safetensors", tensors, {"format": "pt"})


def text(values):
    return " ".join(f"{k}={v}" for k, v in values.items())


def generate(family):
    """Writes the fixtures of all configurations of a family."""
    FOLDER.mkdir(exist_ok=True)
    for i, (settings, task) in enumerate(family.configurations(), 1):
        spec = Spec(family.name, settings, task)
        out = fixture(family, spec, 100 * i)
        path = FOLDER / f"{family.name}_{i}.safetensors"
        write(path, out, {"family": family.name, "settings": text(spec.settings), "task": text(spec.task)})
        losses = out["losses"]
        print(f"{path.name}: {path.stat().st_size} bytes, loss {losses[0]:.4f} to {losses[-1]:.4f}, steps {out.get('steps')}")
