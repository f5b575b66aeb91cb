"""Reference of `ponder`: PonderNet (arXiv 2107.05407), and its loss with a geometric or a uniform prior."""
import sys

import torch

import cells
import parts
import reference

name = "ponder"


def configurations():
    for seed, cell, rule in ((1, "gru", "sample"), (2, "block", "sample"), (3, "gru", "learned")):
        settings = reference.random_settings(
            seed,
            {
                **cells.BLOCK_CHOICES,
                "train.prior": ["geometric", "uniform"] if cell == "block" else ["geometric"],
                "train.prior_rate": [0.2, 0.4],
                "train.kl_weight": [0.01, 0.1],
                "depth.train": [4, 6],
            },
        )
        settings.update({"model.cell": cell, "model.init": "zero", "model.injection": "add"})
        settings.update({"train.supervision": "expected", "model.layers": 1})
        settings["halt.rule"] = rule
        if rule == "learned":
            settings["halt.threshold"] = -1.22
        if cell == "gru":
            settings["model.memory_tokens"] = 0
        yield settings, {"padded": 0, "causal": seed % 2}


parameters = cells.shapes


def run(spec, p, batch, periods):
    cell = cells.Cell(spec, p, batch)
    h, out = cell.start(), []
    for _ in range(periods):
        h = cell.update(h)
        score = parts.linear(p, "halt", h.mean(1)).squeeze(-1)
        out.append({"logits": cell.readout(h), "halt": score})
    return out


def halting(readouts):
    """p_n (N,B): lambda_n prod (1 - lambda_j), the last takes what is left."""
    stay, out = torch.ones(()), []
    for y in readouts[:-1]:
        rate = torch.sigmoid(y["halt"])
        out.append(stay * rate)
        stay = stay * (1 - rate)
    return torch.stack([*out, stay.expand_as(readouts[-1]["halt"])])


def prior(spec, count):
    if spec["train.prior"] == "uniform":
        return torch.full((count,), 1.0 / count)
    rate = spec["train.prior_rate"]
    g = rate * (1 - rate) ** torch.arange(count).double()
    return g / g.sum()


def loss(spec, p, readouts, batch):
    probability = halting(readouts)
    rows = torch.stack([reference.answer_loss(spec, y["logits"], batch).sum(1) for y in readouts])
    divergence = (probability * (probability.log() - prior(spec, len(readouts)).log()[:, None])).sum(0)
    answers = (probability * rows).sum() * batch.per_answer()
    return answers + spec["train.kl_weight"] * divergence.mean()


def steps(spec, readouts, batch):
    """sample: halts with probability lambda_n, drawn by (model seed, update, example); learned: the first score above
    the threshold; the last update in any case."""
    if spec["halt.rule"] == "learned":
        above = [y["halt"] > spec["halt.threshold"] for y in readouts]
    else:
        draws = [reference.Rng(reference.SEED, "halt", n) for n in range(1, len(readouts) + 1)]
        above = [
            torch.tensor([rng.uniform(i) for i in batch.ids]) < torch.sigmoid(y["halt"]) for rng, y in zip(draws, readouts)
        ]
    above[-1] = torch.ones_like(above[-1])
    return (torch.stack(above).double().argmax(0) + 1).tolist()


if __name__ == "__main__":
    reference.generate(sys.modules[__name__])
