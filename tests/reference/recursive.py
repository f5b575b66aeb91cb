"""Reference of `hrm` and `trm` with its descendants, from the formulas of the papers.

  z_L <- F(z_L + z_H + e)  `inner` times, then  z_H <- F(z_H + z_L)        hrm: one F for each state, trm: the same
  h <- F(h + e)                                                            one state (URM)
  e = sqrt(D) (E x), with learned positions sqrt(D/2) (E x + P); zeros, or a puzzle's vector, stand before the tokens
  F: per layer N(x + mix(x)), N(x + W_down silu(W_g x) * (W_u x));  N x = x / sqrt(mean(x^2) + 1e-5)
  mix: attention, or an MLP over the positions, whose N runs over the positions (TRM) or the width (RSM)
  URM: the hidden of the MLP is convolved over positions, y_t = b + w_0 x_(t-1) + w_1 x_t, and goes through silu
  EqR: z <- (1 - d) z + d F + s eps, and states start at random
  y = W z_H behind the prefix; (halt, go on) = Q z_H at its first position
"""
import math

import torch
import torch.nn.functional as F

import parts
import reference
from reference import SEED, Rng

RECIPE = {
    "model.norm": "rms",
    "model.placement": "post",
    "model.init": "fixed",
    "model.halt_head": 1,
    "model.width": 8,
    "model.heads": 2,
    "model.hidden": 12,
    "model.layers": 1,
    "train.supervision": "rows",
    "train.halt_weight": 0.5,
    "train.segments": 1,
    "train.explore": 0.0,
}
CUT = 2.0  # standard deviations
TRUE_STD = math.sqrt(1 - 2 * CUT * math.exp(-CUT * CUT / 2) / math.sqrt(2 * math.pi) / math.erf(CUT / math.sqrt(2)))


# --- parameters -------------------------------------------------------------------------------------------------------


def layer_shapes(spec, name):
    width, hidden, out = spec["model.width"], spec["model.hidden"], {}
    if spec.get("model.mixer", "attention") == "tokens":
        size = spec.positions + spec["model.prefix"]
        inside = spec["model.token_hidden"]
        out.update(parts.linear_shapes(name + ".tokens.up", size, 2 * inside))
        out.update(parts.linear_shapes(name + ".tokens.down", inside, size))
    else:
        for part in ("q", "k", "v", "out"):
            out.update(parts.linear_shapes(f"{name}.attn.{part}", width, width))
    out.update(parts.linear_shapes(name + ".mlp.up", width, 2 * hidden))
    for k in range(spec.get("model.conv", 0)):
        out[f"{name}.mlp.conv.weight.{k}"] = ((hidden,), 0.3, 0.4)
    if spec.get("model.conv", 0):
        out[name + ".mlp.conv.bias"] = ((hidden,), 0.0, 0.3)
    out.update(parts.linear_shapes(name + ".mlp.down", hidden, width))
    return out


def state_parts(spec):
    return ["h"] if spec.get("model.states", 2) == 1 else ["z_L", "z_H"]


def modules(spec):
    return ["low", "high"] if spec.family == "hrm" else ["core"]


def symbols(spec):
    return spec.get("model.symbols", 0) or spec.vocab


def parameters(spec):
    width = spec["model.width"]
    out = {"embed.tokens": ((symbols(spec), width), 0.0, 0.5)}
    if spec["model.positions"] == "learned":
        out["embed.positions"] = ((spec.positions + spec["model.prefix"], width), 0.0, 0.5)
    if spec.get("model.puzzles", 0):
        out["embed.puzzles"] = ((spec["model.puzzles"], width), 0.0, 0.5)
    for module in modules(spec):
        for layer in range(spec["model.layers"]):
            out.update(layer_shapes(spec, f"{module}.{layer}"))
    if not spec.get("model.tied_head", 0):
        rows = spec.get("model.symbols", 0) or spec.answers
        out["readout.head.weight"] = ((rows, width), 0.0, 0.4)
    if spec["model.halt_head"]:
        out["halt.weight"] = ((2, width), 0.0, 0.4)
        out["halt.bias"] = ((2,), -0.2, 0.3)
    if spec["model.init"] == "fixed":
        for part in state_parts(spec):
            out["init." + part] = ((width,), 0.0, 1.0)
    return out


def fixed(name):
    """Saved with a model and never trained."""
    return name.startswith("init.")


# --- the model --------------------------------------------------------------------------------------------------------


def norm(x, axis=-1):
    return x / torch.sqrt((x**2).mean(axis, keepdim=True) + 1e-5)


def gated(p, name, x):
    gate, value = parts.linear(p, name + ".up", x).chunk(2, -1)
    return F.silu(gate) * value


def layer(spec, p, name, x, allowed):
    if spec.get("model.mixer", "attention") == "tokens":
        mixed = parts.linear(p, name + ".tokens.down", gated(p, name + ".tokens", x.transpose(1, 2))).transpose(1, 2)
        x = norm(x + mixed, 1 if spec.get("model.token_norm", 1) else 2)
    else:
        x = norm(x + parts.attention(spec, p, name + ".attn", x, allowed))
    hidden = gated(p, name + ".mlp", x)
    if spec.get("model.conv", 0) == 2:
        before = F.pad(hidden, (0, 0, 1, 0))[:, :-1]
        w0, w1 = p[name + ".mlp.conv.weight.0"], p[name + ".mlp.conv.weight.1"]
        hidden = F.silu(w0 * before + w1 * hidden + p[name + ".mlp.conv.bias"])
    return norm(x + parts.linear(p, name + ".mlp.down", hidden))


def encode(spec, p, batch):
    width, prefix = spec["model.width"], spec["model.prefix"]
    x = F.embedding(batch.tokens + spec.get("model.token_shift", 0), p["embed.tokens"])
    if prefix:
        front = torch.zeros(len(x), prefix, width)
        if spec.get("model.puzzles", 0):
            front = torch.cat([p["embed.puzzles"][:1].expand(len(x), 1, width), front[:, 1:]], 1)
        x = torch.cat([front, x], 1)
    if spec["model.positions"] == "learned":
        return math.sqrt(width / 2) * (x + p["embed.positions"])
    return math.sqrt(width) * x


def keyed(ids, shape, stream, when, cut=None):
    """Normal numbers of every row, by its number; with `cut` those beyond are drawn again."""
    rng, size, rows = Rng(SEED, stream, when), math.prod(shape), []
    for i in ids:
        row = []
        for at in range(i * size, (i + 1) * size):
            x, attempt = rng.normal(at), 0
            while cut and abs(x) > cut:
                attempt += 1
                x = rng.normal(at + (attempt << 40))
            row.append(x)
        rows.append(torch.tensor(row).reshape(shape))
    return torch.stack(rows)


def initial(spec, p, e, batch):
    out = []
    for part in state_parts(spec):
        if spec["model.init"] == "fixed":
            out.append(p["init." + part].detach().expand_as(e))
        else:
            out.append(keyed(batch.ids, e.shape[1:], "state_init." + part, batch.step << 32, CUT) / TRUE_STD)
    return out


def inner_at(spec, step):
    """Inner updates of a round at a training step, and the most there ever are."""
    stages = [tuple(map(int, (part + "@0").split("@")[:2])) for part in str(spec["model.inner"]).split(",")]
    now = max((s for s in stages if s[1] <= step), key=lambda s: s[1])[0]
    return now, max(s[0] for s in stages)


def update(spec, p, z, e, r, batch, allowed):
    """The state after update r."""
    z = list(z)
    if len(z) == 1:
        part, u, module = 0, e, "core"
    else:
        now, most = inner_at(spec, batch.step)
        place = (r - 1) % (most + 1)
        if now <= place < most:
            return z
        part = 0 if place < most else 1
        u = z[1] + e if part == 0 else z[0]
        module = modules(spec)[part if spec.family == "hrm" else 0]
    x = z[part] + u
    for i in range(spec["model.layers"]):
        x = layer(spec, p, f"{module}.{i}", x, allowed)
    damping, noise = spec.get("model.damping", 1), spec.get("model.noise", 0)
    x = (1 - damping) * z[part] + damping * x
    if noise:
        x = x + noise * keyed(batch.ids, x.shape[1:], "update_noise", (batch.step << 32) + r)
    z[part] = x
    return z


def readout(spec, p, z):
    top, shift = z[-1], spec.get("model.answer_shift", 0)
    matrix = p["embed.tokens"] if spec.get("model.tied_head", 0) else p["readout.head.weight"]
    out = {"logits": (top[:, spec["model.prefix"] :] @ matrix.T)[..., shift : shift + spec.answers]}
    if spec["model.halt_head"]:
        scores = top[:, 0] @ p["halt.weight"].T + p["halt.bias"]
        out["halt"], out["go_on"] = scores[:, 0], scores[:, 1]
    return out


def per_round(spec):
    """Updates of the last index but the outermost, and of a period of the schedule."""
    most = inner_at(spec, 0)[1]
    return (most, 1) if spec.get("model.states", 2) == 1 else (most + 1, most + 1)


def period(spec):
    return per_round(spec)[1]


def last_with_gradient(spec, updates):
    """The first update that carries gradient."""
    kind = spec["train.gradient"]
    reach = {"one_step": len(state_parts(spec)), "round": per_round(spec)[0], "full": updates}[kind]
    return updates - reach + 1


def go_through(spec, p, z, batch, periods, gradient=True):
    """Readouts at the end of every period, and the last state."""
    allowed = parts.allowed_pairs(spec, batch, spec["model.prefix"])
    updates, out = periods * period(spec), []
    first = last_with_gradient(spec, updates) if gradient else updates + 1
    e = encode(spec, p, batch)
    for r in range(1, updates + 1):
        with torch.set_grad_enabled(r >= first and torch.is_grad_enabled()):
            z = update(spec, p, z, e, r, batch, allowed)
        if r % period(spec) == 0:
            out.append(readout(spec, p, z))
    return out, z


def run(spec, p, batch, periods, start=None):
    z = start or initial(spec, p, encode(spec, p, batch), batch)
    readouts, z = go_through(spec, p, z, batch, periods)
    readouts[-1]["state"] = [x.detach() for x in z]
    return readouts


def value_of_going_on(spec, p, readouts, batch):
    """HRM's target: the better score after the next segment, or that of halting behind the last one."""
    with torch.no_grad():
        z, periods = readouts[-1]["state"], spec["depth.train"]
        y = go_through(spec, p, z, batch, periods, False)[0][-1]
    made = torch.tensor(getattr(batch, "made", [0] * len(batch.ids)))
    last = made + 1 >= spec["train.segments"]
    return torch.sigmoid(torch.where(last, y["halt"], torch.maximum(y["halt"], y["go_on"])))


# --- loss and training ------------------------------------------------------------------------------------------------


def right_rows(batch, logits):
    """1 where every scored answer of a row is right."""
    wrong = (logits.argmax(-1) != batch.targets) & (batch.targets >= 0)
    return (~wrong.any(-1)).double()


def loss(spec, p, readouts, batch):
    y = readouts[-1]
    scored = (batch.targets >= 0).sum(-1).clamp(min=1)
    total = (reference.answer_loss(spec, y["logits"], batch).sum(-1) / scored).mean()
    if "halt" in y:
        bce = F.binary_cross_entropy_with_logits
        total = total + spec["train.halt_weight"] * bce(y["halt"], right_rows(batch, y["logits"]))
        if spec.family == "hrm" and spec["train.segments"] > 1:
            target = value_of_going_on(spec, p, readouts, batch)
            total = total + spec["train.halt_weight"] * bce(y["go_on"], target)
    return total


def steps(spec, readouts, batch):
    """Stops at the end of the first period whose score is above 0, or above that of going on (HRM)."""
    if not spec["model.halt_head"]:
        return [len(readouts)] * len(batch.ids)
    bound = [y["go_on"] if spec.family == "hrm" else 0 * y["halt"] for y in readouts]
    stops = [(y["halt"] > at).tolist() for y, at in zip(readouts, bound)]
    above = [[now[b] for now in stops] + [True] for b in range(len(batch.ids))]
    return [min(a.index(True) + 1, len(readouts)) for a in above]


class Segments:
    """Rows that carry their state from step to step, each on its own example."""

    def __init__(self, spec):
        size = spec["train.batch"]
        self.spec, self.most = spec, spec["train.segments"]
        self.ids, self.made, self.fresh, self.z = [0] * size, [0] * size, [True] * size, None

    def begin(self, p, step):
        drawn = reference.drawn(self.spec, step)
        for b, fresh in enumerate(self.fresh):
            if fresh:
                self.ids[b], self.made[b] = drawn.ids[b], 0
        batch = reference.Batch(self.spec, list(self.ids), step)
        batch.made = list(self.made)
        with torch.no_grad():
            start = initial(self.spec, p, encode(self.spec, p, batch), batch)
        if self.z is not None:
            new = torch.tensor(self.fresh)[:, None, None]
            start = [torch.where(new, a, b) for a, b in zip(start, self.z)]
        return batch, start

    def keep(self, y, step):
        self.z = y["state"]
        rng = Rng(SEED, "explore", step)
        for b in range(len(self.ids)):
            self.made[b] += 1
            bound = y["go_on"][b].item() if self.spec.family == "hrm" else 0
            halts = "halt" in y and y["halt"][b].item() > bound
            least = 1
            if rng.uniform(2 * b) < self.spec["train.explore"]:
                least = 2 + rng.below(2 * b + 1, self.most - 1)
            self.fresh[b] = self.made[b] >= self.most or (halts and self.made[b] >= least)


class Optimiser:
    """AdamW or Adam-atan2 (Everett et al., 2407.05872) with decay on all but the puzzles' table, which is updated by
    signs; clipped by the norm over all gradients."""

    def __init__(self, spec, p):
        self.spec, self.p = spec, p
        self.m = {n: torch.zeros_like(x) for n, x in p.items()}
        self.v = {n: torch.zeros_like(x) for n, x in p.items()}

    def step(self, grads, step):
        s, lr = self.spec, reference.rate(self.spec, step)
        norm_of_all = torch.sqrt(sum((g**2).sum() for g in grads.values())).item()
        scale = s["train.clip"] / norm_of_all if 0 < s["train.clip"] < norm_of_all else 1.0
        b1, b2 = s["train.beta1"], s["train.beta2"]
        with torch.no_grad():
            for n, x in self.p.items():
                if n == "embed.puzzles":
                    self.by_sign(x, grads[n], step)
                elif not fixed(n):
                    g = grads[n] * scale
                    self.m[n] = b1 * self.m[n] + (1 - b1) * g
                    self.v[n] = b2 * self.v[n] + (1 - b2) * g * g
                    decays = not n.endswith(".bias") and ".conv." not in n or n == "halt.bias"
                    x.mul_(1 - lr * (s["train.weight_decay"] if decays else 0))
                    x.sub_(lr * self.direction(n, b1 ** (step + 1), b2 ** (step + 1)))

    def direction(self, n, past1, past2):
        root = torch.sqrt(self.v[n] / (1 - past2))
        if self.spec.get("train.optimiser", "adamw") == "adam_atan2":
            return torch.atan2(self.m[n], root) / (1 - past1)
        return self.m[n] / (1 - past1) / (root + 1e-8)

    def by_sign(self, table, grad, step):
        lr = self.spec["train.embedding_lr"] * reference.rate(self.spec, step) / self.spec["train.lr"]
        used = (grad != 0).any(-1, keepdim=True)
        moved = table * (1 - lr * self.spec["train.embedding_weight_decay"]) - lr * torch.sign(grad)
        table.copy_(torch.where(used, moved, table))


def curve(spec, start):
    """Losses of the training steps, from the weights `start`."""
    p = {n: x.clone().requires_grad_() for n, x in start.items()}
    optimiser, rows, losses = Optimiser(spec, p), Segments(spec), []
    for step in range(reference.CURVE):
        batch, z = rows.begin(p, step)
        readouts = run(spec, p, batch, spec["depth.train"], z)
        total = loss(spec, p, readouts, batch)
        losses.append(total.item())
        found = reference.gradients(total, p)
        rows.keep(readouts[-1], step)
        optimiser.step(found, step)
    return losses


# --- the same weights under the names of the authors' checkpoints -----------------------------------------------------

MODULES = {
    "hrm": {"L_level.layers.": "low.", "H_level.layers.": "high."},
    "trm": {"L_level.layers.": "core."},
    "eqr": {"L_level.layers.": "core."},
    "rsm": {"core.layers.": "core."},
    "urm": {"layers.": "core."},
}
WRAPPED = {"rsm": "_orig_mod.model."}  # the others: _orig_mod.model.inner.


def published(spec, layout, p):
    """name -> tensor as their modules would save them."""
    out = {"embed_tokens.embedding_weight": p["embed.tokens"]}
    out["lm_head.weight"] = p["embed.tokens" if spec.get("model.tied_head", 0) else "readout.head.weight"]
    for theirs, ours in (
        ("q_head.weight", "halt.weight"),
        ("q_head.bias", "halt.bias"),
        ("puzzle_emb.weights", "embed.puzzles"),
        ("embed_pos.embedding_weight", "embed.positions"),
        ("H_init", "init.z_H"),
        ("L_init", "init.z_L"),
        ("init_hidden", "init.h"),
    ):
        if ours in p:
            out[theirs] = p[ours]
    for theirs, ours in MODULES[layout].items():
        for i in range(spec["model.layers"]):
            to, name = f"{theirs}{i}.", f"{ours}{i}."
            if name + "tokens.up.weight" in p:
                out[to + "mlp_t.gate_up_proj.weight"] = p[name + "tokens.up.weight"]
                out[to + "mlp_t.down_proj.weight"] = p[name + "tokens.down.weight"]
            else:
                rows = [p[f"{name}attn.{part}.weight"] for part in ("q", "k", "v")]
                out[to + "self_attn.qkv_proj.weight"] = torch.cat(rows)
                out[to + "self_attn.o_proj.weight"] = p[name + "attn.out.weight"]
            out[to + "mlp.gate_up_proj.weight"] = p[name + "mlp.up.weight"]
            out[to + "mlp.down_proj.weight"] = p[name + "mlp.down.weight"]
            if name + "mlp.conv.bias" in p:
                taps = [p[f"{name}mlp.conv.weight.{k}"] for k in range(2)]
                out[to + "mlp.dwconv.weight"] = torch.stack(taps, -1)[:, None, :]  # of Conv1d: (F, 1, 2)
                out[to + "mlp.dwconv.bias"] = p[name + "mlp.conv.bias"]
    prefix = WRAPPED.get(layout, "_orig_mod.model.inner.")
    return {prefix + n: x for n, x in out.items()}


def publish(family, of):
    """Writes the layouts of the configurations of `of`: number -> layout."""
    reference.publish(family, of, published)
