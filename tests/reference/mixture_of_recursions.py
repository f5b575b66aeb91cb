"""Reference of `mixture_of_recursions` (Bae et al., 2507.10524): tokens that a pass does not take are left out of it.

Rows are computed one by one, each with the tokens that are taken, so no mask stands for what is left out.
"""
import torch
import torch.nn.functional as F

import parts
import reference

name = "mixture_of_recursions"


def configurations():
    base = {
        "model.width": 8,
        "model.heads": 2,
        "model.hidden": 6,
        "model.positions": "learned",
        "model.recursions": 8,
        "model.prelude": 0,
        "model.coda": 0,
        "train.penalty": 0.1,
        "train.supervision": "last",
        "train.lr": 0.001,
    }
    yield {**base, "model.routing": "expert", "depth.train": 4}, {"padded": 1}
    yield {**base, "model.routing": "token", "depth.train": 5, "model.prelude": 1}, {"causal": 1}
    yield {**base, "model.routing": "token", "depth.train": 3, "model.coda": 1}, {"positions": 6}


def parameters(spec):
    width, count = spec["model.width"], spec["model.recursions"]
    out = {**parts.embed_shapes(spec), **parts.head_shapes(spec), **parts.block_shapes(spec, "core.0")}
    for stack in ("prelude", "coda"):
        for i in range(spec.get("model." + stack, 0)):
            out.update(parts.block_shapes(spec, f"{stack}.{i}"))
    expert = spec["model.routing"] == "expert"
    for i in range(count if expert else 1):
        out.update(parts.linear_shapes(f"router.{i}", width, 1 if expert else count))
    return out


def pairs(spec, size):
    """(1,1,T,S): which keys a query may see among `size` tokens in use."""
    seen = torch.ones(size, size, dtype=torch.bool)
    return (seen.tril() if spec.causal else seen)[None, None]


def stack(spec, p, which, x):
    for i in range(spec.get("model." + which, 0)):
        x = parts.block(spec, p, f"{which}.{i}", x, pairs(spec, x.shape[1]))
    return x


def run_row(spec, p, tokens, positions, periods):
    """One row without padding; per period the answers (T,V), and the router's loss at the end."""
    n, used = spec["model.recursions"], len(tokens)
    e = stack(spec, p, "prelude", (F.embedding(tokens, p["embed.tokens"]) + p["embed.positions"][:used])[None])
    h, active, cost, readouts = e, list(range(used)), torch.zeros(()), []
    if spec["model.routing"] == "token":
        chances = (e[0] @ p["router.0.weight"].T).softmax(-1)
        depth = chances.argmax(-1) + 1
        share = F.one_hot(depth - 1, n).to(torch.float64).mean(0)
        cost = n * (share * chances.mean(0)).sum()
    for r in range(1, periods + 1):
        if spec["model.routing"] == "expert":
            logit = (h[0] @ p[f"router.{r - 1}.weight"].T).squeeze(-1)
            keep = min(len(active), -(-used * (n - r + 1) // n))
            ranked = sorted(active, key=lambda i: (-logit[i].item(), i))
            taken = sorted(ranked[:keep])
            was = torch.tensor([1.0 if i in taken else 0.0 for i in active])
            cost = cost + F.binary_cross_entropy_with_logits(logit[active], was, reduction="sum") / used
            active, gate = taken, logit.sigmoid()
        else:
            active = [i for i in range(used) if depth[i] >= r]
            gate = chances.gather(1, depth[:, None] - 1).squeeze(1)
        if active:
            some = h[:, active]
            y = parts.block(spec, p, "core.0", some, pairs(spec, len(active)))
            moved = some + gate[active][None, :, None] * (y - some)
            h = h.index_copy(1, torch.tensor(active), moved)
        readouts.append(parts.head(p, stack(spec, p, "coda", h))[0])
    return readouts, cost


def run(spec, p, batch, periods):
    rows = [run_row(spec, p, t[:n], spec.positions, periods) for t, n in zip(batch.tokens, batch.lengths)]
    # Positions behind a row's end keep their e, which only a readout sees (no configuration with blocks before or
    # after the loop has such rows).
    idle = parts.head(p, parts.embed(spec, p, batch.tokens))
    out = []
    for r in range(periods):
        logits = [torch.cat([readouts[r], idle[b, len(readouts[r]) :]]) for b, (readouts, _) in enumerate(rows)]
        out.append({"logits": torch.stack(logits), "cost": torch.stack([cost for _, cost in rows])})
    return out


def loss(spec, p, readouts, batch):
    last = readouts[-1]
    return reference.mean_loss(spec, last["logits"], batch) + spec["train.penalty"] * last["cost"].mean()


if __name__ == "__main__":
    import sys

    reference.generate(sys.modules[__name__])
