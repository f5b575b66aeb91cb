"""Reference of `recurrent_depth`: Huginn (arXiv 2502.05171), and with model.injection=decay Parcae (arXiv 2604.12946)."""
import sys

import torch
import torch.nn.functional as F

import parts
import reference

name = "recurrent_depth"

HUGINN = {
    "model.placement": "sandwich",
    "model.injection": "concat",
    "model.init": "random",
    "model.qk_bias": 1,
    "model.qk_norm": 0,
    "model.mlp": "swiglu",
    "model.tied_head": 1,
    "model.input_norm": 0,
    "model.readout_map": 0,
}
PARCAE = {
    "model.placement": "pre",
    "model.injection": "decay",
    "model.init": "random",
    "model.qk_bias": 0,
    "model.qk_norm": 1,
    "model.mlp": "relu_squared",
    "model.tied_head": 0,
    "model.input_norm": 1,
    "model.readout_map": 1,
}


def configurations():
    for seed, form, rule in ((1, HUGINN, "change"), (2, PARCAE, "entropy"), (3, HUGINN, "divergence")):
        settings = reference.random_settings(
            seed,
            {
                "model.width": [8],
                "model.heads": [2],
                "model.kv_heads": [0, 1],
                "model.hidden": [6],
                "model.symbols": [0, 7],
                "model.init_scale": [0.5, 1],
                "depth.train": [3, 4],
                "train.gradient": ["last:2", "full"],
            },
        )
        settings.update(form)
        settings.update({"model.layers": 1, "model.prelude": 1, "model.coda": 1, "model.positions": "rope"})
        settings.update({"model.rope_base": 50000, "model.rope_pairs": "interleaved", "model.embedding_scale": 1})
        settings["train.supervision"] = "last"
        settings["halt.rule"] = rule
        settings["halt.threshold"] = {"change": 0.1, "entropy": 0.002, "divergence": 0.002}[rule]
        if seed == 1:
            settings["model.kv_heads"] = 0  # as published
        if seed == 3:
            settings.update({"model.init": "zero", "train.gradient": "last:2", "depth.train": 4})
        yield settings, {"padded": seed % 2, "causal": 1}


def parameters(spec):
    width = spec["model.width"]
    out = parts.embed_shapes(spec)
    for block in ("prelude.0", "core.0", "coda.0"):
        out.update(parts.block_shapes(spec, block))
    if spec["model.injection"] == "decay":
        out.update(parts.linear_shapes("inject", width, width))
        out.update({"inject.log_rate": ((width,), 0.0, 0.3), "inject.step_bias": ((width,), 0.2, 0.3)})
    else:
        out.update(parts.linear_shapes("inject", 2 * width, width))
    out.update(parts.norm_shapes(spec, "readout.norm"))
    if not spec["model.tied_head"]:
        out.update(parts.linear_shapes("readout.head", width, spec["model.symbols"] or spec.answers))
    if spec["model.input_norm"]:
        out.update(parts.norm_shapes(spec, "input_norm"))
    if spec["model.readout_map"]:
        out.update(parts.linear_shapes("readout.map", width, width))
    return out


def start(spec, batch):
    """Normal of standard deviation sqrt(2/5) times init_scale, drawn again beyond 3 deviations: (B,T,D)."""
    size = (spec.positions, spec["model.width"])
    if spec["model.init"] == "zero":
        return torch.zeros(len(batch.ids), *size)
    rng = reference.Rng(reference.SEED, "state_init.h", batch.step << 32)

    def draw(at):
        x = rng.normal(at)
        while abs(x) > 3:
            at += 1 << 40
            x = rng.normal(at)
        return x

    count = size[0] * size[1]
    rows = [[draw(i * count + k) for k in range(count)] for i in batch.ids]
    return torch.tensor(rows).reshape(-1, *size) * (spec["model.init_scale"] * 0.4**0.5)


def inject(spec, p, h, e):
    if spec["model.injection"] == "concat":
        return parts.linear(p, "inject", torch.cat([h, e], -1))
    delta = F.softplus(p["inject.step_bias"])
    keep = torch.exp(-delta * torch.exp(p["inject.log_rate"]))
    return keep * h + delta * parts.linear(p, "inject", e)


def readout(spec, p, h, allowed):
    x = parts.linear(p, "readout.map", h) if spec["model.readout_map"] else parts.norm(p, "readout.norm", h)
    x = parts.norm(p, "readout.norm", parts.block(spec, p, "coda.0", x, allowed))
    matrix = p["embed.tokens"] if spec["model.tied_head"] else p["readout.head.weight"]
    return (x @ matrix.T)[..., : spec.answers]


def run(spec, p, batch, periods):
    allowed = parts.allowed_pairs(spec, batch)
    e = parts.block(spec, p, "prelude.0", parts.embed(spec, p, batch.tokens), allowed)
    if spec["model.input_norm"]:
        e = parts.norm(p, "input_norm", e)
    reach = int(spec["train.gradient"].removeprefix("last:")) if ":" in spec["train.gradient"] else periods
    h, out = start(spec, batch), []
    for r in range(1, periods + 1):
        before = h
        h = parts.block(spec, p, "core.0", inject(spec, p, h, e), allowed)
        if r <= periods - reach:
            h = h.detach()
        change = (h - before).flatten(1).norm(dim=1) / h.flatten(1).norm(dim=1)
        out.append({"logits": readout(spec, p, h, allowed), "change": change})
    return out


def loss(spec, p, readouts, batch):
    return reference.mean_loss(spec, readouts[-1]["logits"], batch)


def steps(spec, readouts, batch):
    """The first update at which the rule holds for a row, or the last."""
    rule, bound = spec["halt.rule"], spec["halt.threshold"]
    used = torch.arange(spec.positions) < batch.lengths[:, None]
    stops = []
    for i, y in enumerate(readouts):
        log_p = y["logits"].log_softmax(-1)
        entropy = (-(log_p.exp() * log_p).sum(-1) * used).sum(1) / batch.lengths
        if rule == "change":
            stops.append(y["change"] < bound)
        elif i == 0:
            stops.append(torch.zeros(len(batch.ids), dtype=torch.bool))
        elif rule == "entropy":
            stops.append((entropy - previous[0]).abs() < bound)
        else:
            divergence = (log_p.exp() * (log_p - previous[1])).sum(-1)
            stops.append((divergence * used).sum(1) / batch.lengths < bound)
        previous = (entropy, log_p)
    stops[-1] = torch.ones_like(stops[-1])
    return (torch.stack(stops).double().argmax(0) + 1).tolist()


def published(spec, layout, p):
    """The state dict of Huginn."""
    out = {
        "transformer.wte.weight": p["embed.tokens"],
        "transformer.ln_f.weight": p["readout.norm.gain"],
        "transformer.adapter.weight": p["inject.weight"],
    }
    for block, ours in (("prelude.0", "prelude.0"), ("core_block.0", "core.0"), ("coda.0", "coda.0")):
        to, name = f"transformer.{block}.", ours + "."
        for i, norm in enumerate(("attn_in", "attn_out", "mlp_in", "mlp_out"), 1):
            out[f"{to}norm_{i}.weight"] = p[f"{name}norm.{norm}.gain"]
        out[to + "attn.Wqkv.weight"] = torch.cat([p[f"{name}attn.{part}.weight"] for part in "qkv"])
        bias = [p[f"{name}attn.{part}.bias"].reshape(1, spec["model.heads"], -1) for part in "qk"]
        out[to + "attn.qk_bias"] = torch.stack(bias)
        out[to + "attn.proj.weight"] = p[name + "attn.out.weight"]
        out[to + "mlp.fc.weight"] = p[name + "mlp.up.weight"]
        out[to + "mlp.proj.weight"] = p[name + "mlp.down.weight"]
    return {"_orig_mod._original_module." + n: x for n, x in out.items()}


if __name__ == "__main__":
    reference.generate(sys.modules[__name__])
    reference.publish(sys.modules[__name__], {1: "huginn"}, published)
