"""Reference of `universal`: Universal Transformer (arXiv 1807.03819) with ACT at every position (arXiv 1603.08983)."""
import sys

import torch

import cells
import parts
import reference

name = "universal"


def configurations():
    for seed, cell in ((1, "block"), (2, "block"), (3, "gru")):
        settings = reference.random_settings(
            seed,
            {
                **cells.BLOCK_CHOICES,
                "model.signals": ["none", "step", "both"],
                "model.init": ["input", "zero"],
                "model.act_epsilon": [0.01, 0.2],
                "train.penalty": [0.02, 0.2],
            },
        )
        settings.update({"model.cell": cell, "train.supervision": "last", "train.halt_weight": 0})
        settings.update({"depth.train": 5, "halt.rule": "learned", "model.layers": 1})
        settings["model.injection"] = "none" if settings["model.init"] == "input" else "add"
        if cell == "gru":
            settings.update({"model.init": "zero", "model.memory_tokens": 0, "model.signals": "none"})
        yield settings, {"padded": int(cell == "block"), "causal": seed % 2}


def period(spec):
    return 3  # state, halting, mean


parameters = cells.shapes


def signal(spec, size, loop):
    """(S,D): sin and cos of position and loop, channel 2j and 2j+1 with rate 10000^(-2j/D)."""
    kind, width = spec["model.signals"], spec["model.width"]

    def wave(place):
        angle = place * 10000 ** (-torch.arange(0, width, 2) / width)
        return torch.stack([angle.sin(), angle.cos()], -1).flatten()[:width]

    out = torch.zeros(size, width)
    if kind in ("position", "both"):
        out = out + torch.stack([wave(t) for t in range(size)])
    if kind in ("step", "both"):
        out = out + wave(loop)
    return out


def run(spec, p, batch, periods):
    """Per loop the readout if it were the last, the halting margin and the ponder cost of every position."""
    cell = cells.Cell(spec, p, batch)
    s = cell.start()
    rows, size = s.shape[:2]
    memory = 0 if cell.gru else cell.memory
    used = torch.ones(rows, size, dtype=torch.bool)
    if not cell.gru:
        used = torch.arange(size) < (batch.lengths + memory)[:, None]
    bound = 1 - spec["model.act_epsilon"]
    running = used
    total = torch.where(used, 0.0, 1.0)
    mean, updates, remainder = torch.zeros_like(s), torch.zeros(rows, size), torch.zeros(rows, size)
    out = []
    for loop in range(1, periods + 1):
        moved = cell.update(s if cell.gru else s + signal(spec, size, loop))
        s = torch.where(running[..., None], moved, s)
        q = torch.sigmoid(parts.linear(p, "halt", s).squeeze(-1))
        ends = running & (total + q > bound)
        weight = torch.where(running, torch.where(ends, 1 - total, q), torch.zeros(()))
        remainder = torch.where(running, 1 - total, remainder)
        updates = updates + running.double()
        mean = mean + weight[..., None] * s
        total = total + weight
        running = running & ~ends
        tokens = slice(memory, None)
        out.append(
            {
                "logits": cell.readout(mean + (1 - total)[..., None] * s),
                "halt": (total - bound).squeeze(1) if cell.gru else (total - bound)[:, tokens],
                "cost": (updates + remainder)[:, tokens].mean(1),
                "running": running[:, tokens],
            }
        )
    return out


def loss(spec, p, readouts, batch):
    last = readouts[-1]
    return reference.mean_loss(spec, last["logits"], batch) + spec["train.penalty"] * last["cost"].mean()


def steps(spec, readouts, batch):
    """A row stops after the loop in which its last position in use has halted."""
    alive = torch.stack([y["running"].any(1) for y in readouts])
    return (alive.sum(0) + 1).clamp(max=len(readouts)).tolist()


if __name__ == "__main__":
    reference.generate(sys.modules[__name__])
