"""What universal and ponder iterate: transformer blocks over the positions, or a GRU cell over one vector for the row."""
import torch
import torch.nn.functional as F

import parts


def gru_gates(p, name, x):
    return parts.linear(p, name + ".input", x)


def gru_cell(p, name, h, gates):
    """Cho et al., arXiv 1406.1078, in the form of torch.nn.GRUCell."""
    i_r, i_z, i_n = gates.chunk(3, -1)
    u_r, u_z, u_n = parts.linear(p, name + ".state", h).chunk(3, -1)
    r, z = torch.sigmoid(i_r + u_r), torch.sigmoid(i_z + u_z)
    n = torch.tanh(i_n + r * u_n)
    return (1 - z) * n + z * h


def gru_shapes(name, inside, width):
    return {
        **parts.linear_shapes(name + ".input", inside, 3 * width, True),
        **parts.linear_shapes(name + ".state", width, 3 * width, True),
    }


class Cell:
    """encode, start and update of a configuration; states are (B,S,D)."""

    def __init__(self, spec, p, batch):
        self.spec, self.p = spec, p
        self.memory = spec.get("model.memory_tokens", 0)
        self.gru = spec["model.cell"] == "gru"
        if self.gru:
            x = F.one_hot(batch.tokens, spec.vocab).flatten(1).double()[:, None]
            self.e = gru_gates(p, "gru", x)
        else:
            self.allowed = parts.allowed_pairs(spec, batch, self.memory)
            self.e = parts.embed(spec, p, batch.tokens)
            if self.memory:
                first = p["memory"].expand(self.e.shape[0], -1, -1)
                self.e = torch.cat([first, self.e], 1)

    def start(self):
        width = self.spec["model.width"]
        if self.gru:
            return torch.zeros(*self.e.shape[:2], width)
        return self.e if self.spec["model.init"] == "input" else torch.zeros_like(self.e)

    def update(self, h):
        if self.gru:
            return gru_cell(self.p, "gru", h, self.e)
        x = h + self.e if self.spec["model.injection"] == "add" else h
        for l in range(self.spec.get("model.layers", 1)):
            x = parts.block(self.spec, self.p, f"core.{l}", x, self.allowed)
        return parts.norm(self.p, "state_norm", x) if self.spec["model.state_norm"] else x

    def readout(self, h):
        if self.gru:
            return parts.head(self.p, h).view(h.shape[0], self.spec.positions, -1)
        return parts.head(self.p, h[:, self.memory :])


def shapes(spec):
    out = {"halt.weight": ((1, spec["model.width"]), 0.0, 0.3), "halt.bias": ((1,), -1.0, 0.2)}
    if spec["model.cell"] == "gru":
        width = spec["model.width"]
        return {
            **gru_shapes("gru", spec.positions * spec.vocab, width),
            **parts.norm_shapes(spec, "readout.norm"),
            **parts.linear_shapes("readout.head", width, spec.positions * spec.answers),
            **out,
        }
    out.update({**parts.embed_shapes(spec), **parts.head_shapes(spec)})
    for l in range(spec.get("model.layers", 1)):
        out.update(parts.block_shapes(spec, f"core.{l}"))
    if spec.get("model.memory_tokens", 0):
        out["memory"] = ((spec["model.memory_tokens"], spec["model.width"]), 0.0, 0.7)
    if spec["model.state_norm"]:
        out.update(parts.norm_shapes(spec, "state_norm"))
    return out


BLOCK_CHOICES = {
    "model.width": [8],
    "model.heads": [2],
    "model.hidden": [6],
    "model.mlp": ["swiglu", "gelu"],
    "model.norm": ["rmsnorm", "layernorm"],
    "model.placement": ["pre", "post", "sandwich"],
    "model.positions": ["rope", "learned", "none"],
    "model.state_norm": [0, 1],
    "model.memory_tokens": [0, 2],
}
