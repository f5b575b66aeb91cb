"""Reference of `deep_thinking`: recurrent convolutional net with recall (Bansal et al., 2202.05826), 1-D and 2-D."""
import torch
import torch.nn.functional as F

import reference
from reference import SEED, Rng

name = "deep_thinking"


def configurations():
    base = {"model.width": 6, "model.layers": 2, "train.supervision": "progressive", "depth.train": 4}
    yield {**base, "model.injection": "concat", "model.dimensions": 1, "train.progressive": 1.0}, {"positions": 7}
    yield {**base, "model.injection": "concat", "model.dimensions": 2, "train.progressive": 0.3}, {"positions": 9}
    yield {**base, "model.injection": "none", "model.dimensions": 1, "train.progressive": 0.5}, {"positions": 6}


def convolutions(spec):
    """Name, input and output channels."""
    width, symbols = spec["model.width"], spec.vocab
    yield "projection", symbols, width
    if spec["model.injection"] == "concat":
        yield "recall", width + symbols, width
    for block in range(spec["model.layers"]):
        yield f"block.{block}.conv1", width, width
        yield f"block.{block}.conv2", width, width
    yield "head.0", width, width
    yield "head.1", width, width // 2
    yield "head.2", width // 2, spec.answers


def parameters(spec):
    taps = 3 ** spec["model.dimensions"]
    return {n + ".weight": ((o, taps * i), 0.0, 0.9 / (taps * i) ** 0.5) for n, i, o in convolutions(spec)}


def conv(spec, p, name, x):
    """x (B,C,T), seen as a line or a square. The weight's columns hold the taps row by row, channels within a tap."""
    weight, dimensions = p[name + ".weight"], spec["model.dimensions"]
    channels, side = x.shape[1], round(x.shape[2] ** 0.5)
    if dimensions == 1:
        return F.conv1d(x, weight.unflatten(1, (3, channels)).permute(0, 2, 1), padding=1)
    kernel = weight.unflatten(1, (3, 3, channels)).permute(0, 3, 1, 2)
    return F.conv2d(x.unflatten(2, (side, side)), kernel, padding=1).flatten(2)


def begin(spec, p, batch):
    x = F.one_hot(batch.tokens, spec.vocab).to(torch.float64).transpose(1, 2)
    return x, conv(spec, p, "projection", x).relu()


def update(spec, p, h, x):
    if spec["model.injection"] == "concat":
        h = conv(spec, p, "recall", torch.cat([h, x], 1)).relu()
    for block in range(spec["model.layers"]):
        inner = conv(spec, p, f"block.{block}.conv1", h).relu()
        h = (h + conv(spec, p, f"block.{block}.conv2", inner)).relu()
    return h


def head(spec, p, h):
    y = conv(spec, p, "head.0", h).relu()
    return conv(spec, p, "head.2", conv(spec, p, "head.1", y).relu()).transpose(1, 2)


def run(spec, p, batch, periods):
    x, h = begin(spec, p, batch)
    out = []
    for _ in range(periods):
        h = update(spec, p, h, x)
        out.append({"logits": head(spec, p, h)})
    return out


def partial(spec, p, batch):
    """Logits after n updates without gradient and k with, drawn as documented in objectives/progressive.cpp."""
    rng, most = Rng(SEED, "progressive", batch.step), spec["depth.train"]
    n = rng.below(0, most)
    k = 1 + rng.below(1, most - n)
    x, h = begin(spec, p, batch)
    for i in range(n + k):
        h = update(spec, p, h.detach() if i == n > 0 else h, x)
    return head(spec, p, h)


def loss(spec, p, readouts, batch):
    share = spec["train.progressive"]
    total = share * reference.mean_loss(spec, partial(spec, p, batch), batch)
    if share < 1:
        total = total + (1 - share) * reference.mean_loss(spec, readouts[-1]["logits"], batch)
    return total


if __name__ == "__main__":
    import sys

    reference.generate(sys.modules[__name__])
