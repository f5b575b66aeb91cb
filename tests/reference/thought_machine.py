"""Reference of `thought_machine`: the continuous thought machine (Darlow et al., 2505.05522), one synapse layer."""
import torch
import torch.nn.functional as F

import parts
import reference
from reference import Rng

name = "thought_machine"


def configurations():
    base = {
        "model.width": 8,
        "model.memory": 3,
        "model.neuron_hidden": 2,
        "train.supervision": "best_certain",
        "train.lr": 0.001,
    }
    yield {**base, "model.heads": 2, "model.pairs": 5, "depth.train": 4, "model.positions": "learned"}, {"padded": 1}
    yield {**base, "model.heads": 1, "model.pairs": 9, "depth.train": 5, "model.positions": "none"}, {}
    yield {**base, "model.heads": 4, "model.pairs": 4, "depth.train": 3, "model.memory": 4, "model.positions": "learned"}, {
        "positions": 6
    }


def parameters(spec):
    d, m, f, pairs = (spec[k] for k in ("model.width", "model.memory", "model.neuron_hidden", "model.pairs"))
    out = parts.embed_shapes(spec)
    for layer, inside, outside in (
        ("features", d, d),
        ("query", pairs, d),
        ("attn.q", d, d),
        ("attn.k", d, d),
        ("attn.v", d, d),
        ("attn.out", d, d),
        ("synapse", 2 * d, 2 * d),
        ("readout.head", pairs, spec.positions * spec.answers),
    ):
        out.update(parts.linear_shapes(layer, inside, outside, True))
    for layer in ("features_norm", "synapse_norm"):
        out[layer + ".gain"] = ((d,), 1.0, 0.2)
        out[layer + ".bias"] = ((d,), 0.0, 0.2)
    out["neuron.in.weight"] = ((d, 2 * f, m), 0.0, 0.5)
    out["neuron.in.bias"] = ((d, 2 * f), 0.0, 0.3)
    out["neuron.out.weight"] = ((d, 2, f), 0.0, 0.7)
    out["neuron.out.bias"] = ((d, 2), 0.0, 0.3)
    out["start"] = ((d,), 0.0, 0.7)
    out["start_history"] = ((d, m), 0.0, 0.7)
    out["action.decay"] = ((pairs,), -1.0, 0.5)
    out["out.decay"] = ((pairs,), -1.0, 0.5)
    return out


def chosen(stream, spec):
    """The neurons of every pair."""
    rng, pairs = Rng(0, stream), spec["model.pairs"]
    drawn = [rng.below(i, spec["model.width"]) for i in range(2 * pairs)]
    return drawn[:pairs], drawn[pairs:]


class Synchronisation:
    def __init__(self, spec, p, stream):
        self.left, self.right = chosen(stream, spec)
        self.rate = torch.exp(-F.softplus(p[stream + ".decay"]))
        self.alpha = self.beta = torch.zeros(spec["model.pairs"])

    def update(self, z):
        self.alpha = self.rate * self.alpha + z[:, self.left] * z[:, self.right]
        self.beta = self.rate * self.beta + 1
        return self.alpha / self.beta.sqrt()


def linear(p, name, x):
    return x @ p[name + ".weight"].T + p[name + ".bias"]


def attend(spec, p, q, e, lengths):
    heads, width = spec["model.heads"], spec["model.width"]
    q = linear(p, "attn.q", q).unflatten(-1, (heads, -1))  # (B,H,K)
    k, v = (linear(p, f"attn.{n}", e).unflatten(-1, (heads, -1)) for n in "kv")  # (B,T,H,K)
    scores = torch.einsum("bhk,bthk->bht", q, k) / (width // heads) ** 0.5
    hidden = torch.arange(e.shape[1]) >= lengths[:, None]
    weights = scores.masked_fill(hidden[:, None], float("-inf")).softmax(-1)
    return linear(p, "attn.out", torch.einsum("bht,bthk->bhk", weights, v).flatten(1))


def norm(p, name, x):
    return F.layer_norm(x, x.shape[-1:], p[name + ".gain"], p[name + ".bias"], 1e-5)


def neurons(p, history):
    x = torch.einsum("bdm,dom->bdo", history, p["neuron.in.weight"]) + p["neuron.in.bias"]
    x = torch.einsum("bdm,dom->bdo", F.glu(x, -1), p["neuron.out.weight"]) + p["neuron.out.bias"]
    return F.glu(x, -1).squeeze(-1)


def run(spec, p, batch, periods):
    e = norm(p, "features_norm", linear(p, "features", parts.embed(spec, p, batch.tokens)))
    rows = len(batch.tokens)
    z, history = p["start"].expand(rows, -1), p["start_history"].expand(rows, -1, -1)
    action, out = Synchronisation(spec, p, "action"), Synchronisation(spec, p, "out")
    out.update(z)
    readouts = []
    for _ in range(periods):
        o = attend(spec, p, linear(p, "query", action.update(z)), e, batch.lengths)
        a = norm(p, "synapse_norm", F.glu(linear(p, "synapse", torch.cat([o, z], -1)), -1))
        history = torch.cat([history[:, :, 1:], a[:, :, None]], -1)
        z = neurons(p, history)
        y = linear(p, "readout.head", out.update(z)).unflatten(-1, (spec.positions, spec.answers))
        readouts.append({"logits": y})
    return readouts


def loss(spec, p, readouts, batch):
    losses, entropies = [], []
    for y in readouts:
        losses.append(reference.answer_loss(spec, y["logits"], batch).sum(1) * batch.per_answer())
        log_p = y["logits"].log_softmax(-1)
        entropy = -(log_p.exp() * log_p).sum(-1)
        entropies.append(torch.where(batch.targets >= 0, entropy, torch.zeros(())).sum(1))
    losses, entropies = torch.stack(losses), torch.stack(entropies)  # (ticks, B)
    rows = torch.arange(losses.shape[1])
    best, certain = losses.detach().argmin(0), entropies.detach().argmin(0)
    return 0.5 * (losses[best, rows] + losses[certain, rows]).sum()


if __name__ == "__main__":
    import sys

    reference.generate(sys.modules[__name__])
