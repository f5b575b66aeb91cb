"""Compares the looped model with an independent PyTorch implementation, in double.

Usage: pytorch_oracle_test.py PATH/TO/oracle_dump. Exit 77: PyTorch is not installed (skipped).
Written from the equations of models/README.md; gradients are PyTorch's own.
"""
import json
import math
import pathlib
import struct
import subprocess
import sys
import tempfile

try:
    import torch
    import torch.nn.functional as F
except ImportError:
    print("SKIPPED: PyTorch is not importable by", sys.executable)
    sys.exit(77)

LIMIT = 1e-9  # relative to the largest element of a tensor
COLUMN = torch.tensor([0, 1, 2, 0, 1])  # the tiny task's coordinate of each position


def read_safetensors(path):
    raw = path.read_bytes()
    (size,) = struct.unpack("<Q", raw[:8])
    header = json.loads(raw[8 : 8 + size])
    meta = header.pop("__metadata__")
    kinds = {"F64": torch.float64, "I32": torch.int32}
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        data = bytearray(raw[8 + size + begin : 8 + size + end])
        tensors[name] = torch.frombuffer(data, dtype=kinds[entry["dtype"]]).reshape(entry["shape"])
    return meta, tensors


class Model:
    """One model of the pack; `p` maps names to its parameters."""

    def __init__(self, meta, p):
        self.meta, self.p = meta, p
        self.heads, self.groups = int(meta["heads"]), int(meta["kv_heads"])

    def norm(self, name, x):
        if self.meta["norm"] == "rmsnorm":
            return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-6) * self.p[name + ".gain"]
        return F.layer_norm(x, x.shape[-1:], self.p[name + ".gain"], self.p[name + ".bias"], 1e-5)

    def linear(self, name, x):
        return F.linear(x, self.p[name + ".weight"], self.p.get(name + ".bias"))

    def split_heads(self, x, count):
        batch, time, width = x.shape
        return x.view(batch, time, count, width // count).transpose(1, 2)

    def rotate(self, x):
        half = x.shape[-1] // 2
        rate = 10000.0 ** (-torch.arange(half, dtype=torch.float64) / half)
        angle = torch.arange(x.shape[2], dtype=torch.float64)[:, None] * rate
        # A rotation of the complex number x_i + j x_(i + K/2).
        turned = torch.complex(x[..., :half], x[..., half:]) * torch.polar(
            torch.ones_like(angle), angle
        )
        return torch.cat([turned.real, turned.imag], -1)

    def attention(self, name, x, allowed):
        q = self.split_heads(self.linear(name + ".q", x), self.heads)
        k = self.split_heads(self.linear(name + ".k", x), self.groups)
        v = self.split_heads(self.linear(name + ".v", x), self.groups)
        if self.meta["positions"] == "rope":
            q, k = self.rotate(q), self.rotate(k)
        share = self.heads // self.groups
        k, v = k.repeat_interleave(share, 1), v.repeat_interleave(share, 1)
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=allowed)
        return self.linear(name + ".out", mixed.transpose(1, 2).reshape(x.shape))

    def mlp(self, name, x):
        up = self.linear(name + ".up", x)
        if self.meta["mlp"] == "swiglu":
            gate, value = up.chunk(2, -1)
            hidden = F.silu(gate) * value
        else:
            hidden = F.gelu(up, approximate="tanh")
        return self.linear(name + ".down", hidden)

    def block(self, name, x, allowed):
        place = self.meta["placement"]

        def before(part, y):
            return y if place == "post" else self.norm(f"{name}.norm.{part}_in", y)

        def after(part, y):
            return y if place == "pre" else self.norm(f"{name}.norm.{part}_out", y)

        x = after("attn", x + self.attention(name + ".attn", before("attn", x), allowed))
        return after("mlp", x + self.mlp(name + ".mlp", before("mlp", x)))

    def blocks(self, name, count, x, allowed):
        for index in range(int(self.meta[count])):
            x = self.block(f"{name}.{index}", x, allowed)
        return x

    def encode(self, tokens, allowed):
        x = F.embedding(tokens, self.p["embed.tokens"])
        if self.meta["positions"] == "task":
            x = x + self.p["embed.column"][COLUMN]
        elif self.meta["positions"] == "learned":
            x = x + self.p["embed.positions"]
        return self.blocks("prelude", "prelude", x, allowed)

    def inject(self, h, e):
        kind = self.meta["injection"]
        if kind == "none":
            return h
        if kind == "add":
            return h + e
        both = self.linear("inject", torch.cat([h, e], -1))
        if kind == "concat":
            return both
        gate = torch.sigmoid(both)
        return gate * h + (1 - gate) * e

    def update(self, h, e, allowed):
        x = self.blocks("core", "layers", self.inject(h, e), allowed)
        return self.norm("state_norm", x) if "state_norm.gain" in self.p else x

    def readout(self, h, allowed):
        x = self.blocks("coda", "coda", h, allowed)
        return self.linear("readout.head", self.norm("readout.norm", x))

    def halt(self, h):
        return self.linear("halt", h.mean(1)).squeeze(-1)


def allowed_pairs(meta, lengths, time):
    """(B, 1, T, S): which key positions a query may see."""
    keys = torch.arange(time) < lengths[:, None]
    pairs = keys[:, None, None, :].expand(-1, 1, time, -1)
    if meta["mask"] == "causal":
        pairs = pairs & torch.ones(time, time, dtype=torch.bool).tril()
    return pairs


def run(meta, dump, m, params):
    """Every quantity of the dump for model m."""
    model = Model(meta, params)
    tokens, targets = dump["tokens"][m].long(), dump["targets"][m].long()
    allowed = allowed_pairs(meta, dump["lengths"][m], tokens.shape[1])
    e = model.encode(tokens, allowed)
    h = {"zero": torch.zeros_like(e), "input": e, "normal": dump["state.0"][m]}[meta["init"]]
    out = {"state.0": h}
    loss = torch.zeros((), dtype=torch.float64)
    for r in range(1, int(meta["updates"]) + 1):
        h = model.update(h, e, allowed)
        logits = model.readout(h, allowed)
        out[f"state.{r}"], out[f"logits.{r}"] = h, logits
        loss = loss + 0.25 * F.cross_entropy(
            logits.flatten(0, 1), targets.flatten(), ignore_index=-1, reduction="sum"
        )
        if "halt.weight" in params:
            score = model.halt(h)
            out[f"halt.{r}"] = score
            loss = loss + F.binary_cross_entropy_with_logits(
                score, torch.ones_like(score), reduction="sum"
            )
    out["loss"] = loss
    return out


def compare(path):
    """Largest relative difference over all tensors of a dump."""
    meta, dump = read_safetensors(path)
    worst = (0.0, "")
    compared = 0
    for m in range(dump["tokens"].shape[0]):
        params = {
            name[len("param.") :]: value[m].clone().requires_grad_()
            for name, value in dump.items()
            if name.startswith("param.")
        }
        out = run(meta, dump, m, params)
        out["loss"].backward()
        for name, p in params.items():
            out["grad." + name] = torch.zeros_like(p) if p.grad is None else p.grad
        for name, value in out.items():
            want = dump[name][m]
            scale = max(want.abs().max().item(), 1e-3)
            error = (value.detach() - want).abs().max().item() / scale
            compared += 1
            if not error <= worst[0]:
                worst = (error if math.isfinite(error) else math.inf, f"{name} of model {m}")
    missing = [n for n in dump if n not in out and not n.startswith(("param.", "tok", "tar", "len"))]
    assert not missing, f"{path.name}: not compared: {missing}"
    return worst, compared


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.argv[1], folder], check=True)
        paths = sorted(pathlib.Path(folder).glob("*.safetensors"))
        assert paths, "oracle_dump wrote nothing"
        failed = False
        for path in paths:
            (error, where), compared = compare(path)
            print(f"{path.stem:20} {compared:4} tensors, largest relative error {error:.1e} ({where})")
            failed = failed or not error <= LIMIT
    sys.exit(1 if failed else 0)


main()
