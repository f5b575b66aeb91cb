"""Reference of `gru`: stacked GRU layers over the sequence, by torch.nn.GRU; readout r is that after layer r."""
import sys

import torch

import cells
import parts
import reference

name = "gru"


def configurations():
    for seed in (1, 2, 3):
        settings = reference.random_settings(
            seed,
            {
                "model.width": [8],
                "model.positions": ["learned", "none"],
                "model.norm": ["rmsnorm", "layernorm"],
                "model.depth": [2, 3],
            },
        )
        settings.update({"depth.train": settings["model.depth"], "train.supervision": "last"})
        yield settings, {"padded": seed % 2, "causal": seed // 2}


def periods(spec):
    return spec["model.depth"]


def halves(spec):
    """Directions of a layer and their width."""
    width = spec["model.width"]
    return {"forward": width} if spec.causal else {"forward": width // 2, "backward": width // 2}


def parameters(spec):
    out = {**parts.embed_shapes(spec), **parts.head_shapes(spec)}
    for layer in range(spec["model.depth"]):
        for side, width in halves(spec).items():
            out.update(cells.gru_shapes(f"layer.{layer}.{side}", spec["model.width"], width))
    return out


def layer(spec, p, name, x, batch):
    """(B,T,D): torch's own GRU, on rows of their own lengths."""
    out = torch.zeros_like(x)
    rows = []
    for b, length in enumerate(batch.lengths.tolist()):
        sides = []
        for side, width in halves(spec).items():
            gru = torch.nn.GRU(spec["model.width"], width, batch_first=True)
            weights = {
                "weight_ih_l0": p[f"{name}.{side}.input.weight"],
                "bias_ih_l0": p[f"{name}.{side}.input.bias"],
                "weight_hh_l0": p[f"{name}.{side}.state.weight"],
                "bias_hh_l0": p[f"{name}.{side}.state.bias"],
            }
            row = x[b : b + 1, :length]
            row = row.flip(1) if side == "backward" else row
            y, _ = torch.func.functional_call(gru, weights, (row,))
            sides.append(y.flip(1) if side == "backward" else y)
        y = torch.cat(sides, -1)[0]
        rows.append(torch.cat([y, out[b, length:]], 0))
    return torch.stack(rows)


def run(spec, p, batch, periods):
    h, out = parts.embed(spec, p, batch.tokens), []
    for index in range(periods):
        h = layer(spec, p, f"layer.{index}", h, batch)
        out.append({"logits": parts.head(p, h)})
    return out


def loss(spec, p, readouts, batch):
    return reference.mean_loss(spec, readouts[-1]["logits"], batch)


if __name__ == "__main__":
    reference.generate(sys.modules[__name__])
