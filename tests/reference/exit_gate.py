"""Reference of `exit_gate`: Ouro (arXiv 2510.25741), both stages of its training and its CDF exit."""
import sys

import torch
import torch.nn.functional as F

import parts
import reference

name = "exit_gate"


def configurations():
    for seed, gate, second in ((1, "token", 0), (2, "row", 0), (3, "token", 100), (6, "row", 120)):
        settings = reference.random_settings(
            seed,
            {
                "model.width": [8],
                "model.heads": [2],
                "model.kv_heads": [0, 1],
                "model.hidden": [6],
                "model.layers": [1, 2],
                "depth.train": [3, 4],
                "train.kl_weight": [0.05, 0.1],
                "model.tied_head": [0, 1],
            },
        )
        settings.update({"model.placement": "branch", "model.positions": "rope", "model.rope_base": 1000000})
        settings.update({"model.gate": gate, "model.halt_head": 1, "train.gate_only": second})
        settings.update({"train.supervision": "expected", "train.prior": "uniform"})
        if seed == 3:
            settings["model.tied_head"] = 0  # as published
        # Without injection curves are sensitive: at six times this rate a change of 1e-12 of the weights grows to 1e-1.
        settings["train.lr"] = 0.0005
        settings.update({"halt.rule": "cdf", "halt.threshold": {1: 0.99, 2: 0.93, 3: 0.98, 6: 0.95}[seed]})
        yield settings, {"padded": int(seed in (1, 3)), "causal": 1}


def parameters(spec):
    out = parts.embed_shapes(spec)
    for l in range(spec["model.layers"]):
        out.update(parts.block_shapes(spec, f"core.{l}"))
    out.update(parts.norm_shapes(spec, "state_norm"))
    if not spec["model.tied_head"]:
        out.update(parts.linear_shapes("readout.head", spec["model.width"], spec.answers))
    out.update(parts.linear_shapes("halt", spec["model.width"], 1, True))
    return out


def run(spec, p, batch, periods):
    allowed = parts.allowed_pairs(spec, batch)
    h, out = parts.embed(spec, p, batch.tokens), []
    matrix = p["embed.tokens"] if spec["model.tied_head"] else p["readout.head.weight"]
    for _ in range(periods):
        for l in range(spec["model.layers"]):
            h = parts.block(spec, p, f"core.{l}", h, allowed)
        h = parts.norm(p, "state_norm", h)
        asked = h if spec["model.gate"] == "token" else h.mean(1)
        score = parts.linear(p, "halt", asked).squeeze(-1)
        out.append({"logits": (h @ matrix.T)[..., : spec.answers], "halt": score})
    return out


def halting(readouts):
    """p_r: lambda_r prod (1 - lambda_j), the last loop takes what is left."""
    stay, out = torch.ones(()), []
    for y in readouts[:-1]:
        rate = torch.sigmoid(y["halt"])
        out.append(stay * rate)
        stay = stay * (1 - rate)
    return torch.stack([*out, stay.expand_as(readouts[-1]["halt"])])


def units(spec, readouts, batch):
    """Losses of what has a gate, (R,B,T) or (R,B), and the share of each in the mean over the batch."""
    losses = torch.stack([reference.answer_loss(spec, y["logits"], batch) for y in readouts])
    scored = (batch.targets >= 0).double()
    if spec["model.gate"] == "token":
        return losses, scored * batch.per_answer()
    return losses.sum(-1), torch.full((len(batch.ids),), 1.0 / len(batch.ids))


def loss(spec, p, readouts, batch):
    """Stage I: expected loss and divergence from the uniform distribution over loops."""
    probability = halting(readouts)
    losses, share = units(spec, readouts, batch)
    divergence = (probability * (probability * len(readouts)).log()).sum(0)
    return (probability * losses).sum() * batch.per_answer() + spec["train.kl_weight"] * (divergence * share).sum()


def gate_loss(spec, readouts, batch):
    """Stage II: go on, 1 - lambda_r, against sigmoid(50 (improvement - 0.005)), r from 2 on."""
    losses, share = units(spec, readouts, batch)
    if spec["model.gate"] == "row":  # mean loss of a row's answers
        losses = losses / (batch.targets >= 0).sum(1).clamp(min=1)
    gain = (losses[:-1] - losses[1:]).clamp(min=0).detach()
    go_on = torch.sigmoid(50 * (gain - 0.005))
    score = torch.stack([y["halt"] for y in readouts[1:]])
    each = F.binary_cross_entropy_with_logits(-score, go_on, reduction="none")
    return (each * share).sum() / (len(readouts) - 1)


def curve(spec, start):
    p = {n: x.clone().requires_grad_() for n, x in start.items()}
    optimiser = reference.AdamW(spec, p)
    losses = []
    for step in range(reference.CURVE):
        batch = reference.drawn(spec, step)
        readouts = run(spec, p, batch, spec["depth.train"])
        if 0 < spec["train.gate_only"] <= step:
            optimiser.p = {n: x for n, x in p.items() if n.startswith("halt.")}
            value = gate_loss(spec, readouts, batch)
        else:
            value = loss(spec, p, readouts, batch)
        losses.append(value.item())
        optimiser.step(reference.gradients(value, optimiser.p), step)
    return losses


def steps(spec, readouts, batch):
    """The first loop after which the cumulated probability of every position in use reaches the threshold, or the
    last."""
    stay, stops = torch.ones(()), []
    unused = torch.arange(spec.positions) >= batch.lengths[:, None]
    for y in readouts:
        stay = stay * (1 - torch.sigmoid(y["halt"]))
        reached = 1 - stay >= spec["halt.threshold"]
        stops.append(reached if spec["model.gate"] == "row" else (reached | unused).all(1))
    stops[-1] = torch.ones_like(stops[-1])
    return (torch.stack(stops).double().argmax(0) + 1).tolist()


def published(spec, layout, p):
    """The state dict of Ouro."""
    out = {
        "model.embed_tokens.weight": p["embed.tokens"],
        "lm_head.weight": p["readout.head.weight"],
        "model.norm.weight": p["state_norm.gain"],
        "model.early_exit_gate.weight": p["halt.weight"],
        "model.early_exit_gate.bias": p["halt.bias"],
    }
    for l in range(spec["model.layers"]):
        to, name = f"model.layers.{l}.", f"core.{l}."
        for part, ours in (("q", "q"), ("k", "k"), ("v", "v"), ("o", "out")):
            out[f"{to}self_attn.{part}_proj.weight"] = p[f"{name}attn.{ours}.weight"]
        gate, up = p[name + "mlp.up.weight"].chunk(2)
        out[to + "mlp.gate_proj.weight"], out[to + "mlp.up_proj.weight"] = gate, up
        out[to + "mlp.down_proj.weight"] = p[name + "mlp.down.weight"]
        for theirs, norm in (
            ("input_layernorm", "attn_in"),
            ("input_layernorm_2", "attn_out"),
            ("post_attention_layernorm", "mlp_in"),
            ("post_attention_layernorm_2", "mlp_out"),
        ):
            out[f"{to}{theirs}.weight"] = p[f"{name}norm.{norm}.gain"]
    return out


if __name__ == "__main__":
    reference.generate(sys.modules[__name__])
    reference.publish(sys.modules[__name__], {3: "ouro"}, published)
