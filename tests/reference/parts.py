"""Parts that references share, from their usual formulas: linear, norms, attention block, embedding.

A reference has its weights in a dictionary p by the names of the C++ parameters, without the model axis.
"""
import torch
import torch.nn.functional as F


def linear(p, name, x):
    y = x @ p[name + ".weight"].T
    return y + p[name + ".bias"] if name + ".bias" in p else y


def norm(p, name, x):
    """RMSNorm (gain only, eps 1e-6) or LayerNorm (gain and bias, eps 1e-5)."""
    gain = p[name + ".gain"]
    if name + ".bias" in p:
        return F.layer_norm(x, x.shape[-1:], gain, p[name + ".bias"], 1e-5)
    return x / torch.sqrt((x**2).mean(-1, keepdim=True) + 1e-6) * gain


def rope(x, base, interleaved=False):
    """Rotation of pairs (i, i + K/2), or neighbours, of the last axis by t * base^(-2i/K) (Su et al., 2104.09864).
    x (B,H,T,K)."""
    time, width = x.shape[-2:]
    rate = base ** (-torch.arange(0, width, 2) / width)
    angle = torch.arange(time)[:, None] * rate
    if interleaved:  # complex numbers x_2i + j x_(2i+1), turned
        z = torch.view_as_complex(x.unflatten(-1, (-1, 2)).contiguous())
        return torch.view_as_real(z * torch.exp(1j * angle)).flatten(-2)
    a, b = x.chunk(2, -1)
    return torch.cat([a * angle.cos() - b * angle.sin(), b * angle.cos() + a * angle.sin()], -1)


def allowed_pairs(spec, batch, prefix=0):
    """(B,1,T,S): which key positions a query may see; `prefix` extra positions in front are seen by all."""
    size = spec.positions + prefix
    keys = torch.arange(size) < (batch.lengths + prefix)[:, None]
    pairs = keys[:, None, None, :].expand(-1, 1, size, -1)
    mask = spec.get("model.mask", "task")
    if mask == "causal" or (mask == "task" and spec.causal):
        pairs = pairs & torch.ones(size, size, dtype=torch.bool).tril()
    return pairs


def attention(spec, p, name, x, allowed):
    heads = spec["model.heads"]
    kv_heads = spec.get("model.kv_heads", 0) or heads

    def split(y, count):
        return y.unflatten(-1, (count, -1)).transpose(-3, -2)  # (B,H,T,K)

    q, k = split(linear(p, name + ".q", x), heads), split(linear(p, name + ".k", x), kv_heads)
    v = split(linear(p, name + ".v", x), kv_heads)
    if spec.get("model.positions", "task") == "rope":
        base, pairs = spec.get("model.rope_base", 10000), spec.get("model.rope_pairs", "half_split")
        q, k = rope(q, base, pairs == "interleaved"), rope(k, base, pairs == "interleaved")
    if spec.get("model.qk_norm", 0):  # a rotation keeps the norm, so before or behind it is the same
        q, k = (y / torch.sqrt((y**2).mean(-1, keepdim=True) + 1e-6) for y in (q, k))
    k, v = (y.repeat_interleave(heads // kv_heads, 1) for y in (k, v))
    scores = (q @ k.transpose(-1, -2)) / q.shape[-1] ** 0.5
    weights = scores.masked_fill(~allowed, float("-inf")).softmax(-1)
    return linear(p, name + ".out", (weights @ v).transpose(-3, -2).flatten(-2))


def mlp(spec, p, name, x):
    up = linear(p, name + ".up", x)
    if spec.get("model.mlp", "swiglu") == "swiglu":
        gate, value = up.chunk(2, -1)
        return linear(p, name + ".down", F.silu(gate) * value)
    if spec["model.mlp"] == "relu_squared":
        return linear(p, name + ".down", F.relu(up) ** 2)
    return linear(p, name + ".down", F.gelu(up, approximate="tanh"))


def block(spec, p, name, x, allowed):
    """pre: x + f(N x); post: N(x + f(x)); sandwich: N2(x + f(N1 x)); branch: x + N2(f(N1 x))."""
    place = spec.get("model.placement", "pre")
    for part, f in (
        ("attn", lambda y: attention(spec, p, name + ".attn", y, allowed)),
        ("mlp", lambda y: mlp(spec, p, name + ".mlp", y)),
    ):
        y = x if place == "post" else norm(p, f"{name}.norm.{part}_in", x)
        out = f"{name}.norm.{part}_out"
        if place == "branch":
            x = x + norm(p, out, f(y))
        else:
            x = x + f(y) if place == "pre" else norm(p, out, x + f(y))
    return x


def embed(spec, p, tokens):
    """Token embedding, plus learned positions if the weights have them."""
    x = F.embedding(tokens, p["embed.tokens"])
    if spec.get("model.embedding_scale", 0):
        x = x * spec["model.width"] ** 0.5
    return x + p["embed.positions"] if "embed.positions" in p else x


# --- shapes of the parameters: name -> (shape, mean, standard deviation) ----------------------------------------------


def linear_shapes(name, inside, outside, bias=False):
    out = {name + ".weight": ((outside, inside), 0.0, 0.6 / inside**0.5)}
    if bias:
        out[name + ".bias"] = ((outside,), 0.0, 0.3)
    return out


def norm_shapes(spec, name):
    width = spec["model.width"]
    out = {name + ".gain": ((width,), 1.0, 0.2)}
    if spec.get("model.norm", "rmsnorm") == "layernorm":
        out[name + ".bias"] = ((width,), 0.0, 0.2)
    return out


def block_shapes(spec, name):
    width, heads = spec["model.width"], spec["model.heads"]
    kv = width // heads * (spec.get("model.kv_heads", 0) or heads)
    kind = spec.get("model.mlp", "swiglu")
    hidden, out = spec["model.hidden"], {}
    for part, outside in (("q", width), ("k", kv), ("v", kv), ("out", width)):
        biased = part in "qk" and bool(spec.get("model.qk_bias", 0))
        out.update(linear_shapes(f"{name}.attn.{part}", width, outside, biased))
    out.update(linear_shapes(name + ".mlp.up", width, hidden * (1 + (kind == "swiglu")), kind == "gelu"))
    out.update(linear_shapes(name + ".mlp.down", hidden, width, kind == "gelu"))
    place = spec.get("model.placement", "pre")
    for side in ("in", "out"):
        if (side, place) not in (("in", "post"), ("out", "pre")):
            out.update(norm_shapes(spec, f"{name}.norm.attn_{side}"))
            out.update(norm_shapes(spec, f"{name}.norm.mlp_{side}"))
    return out


def embed_shapes(spec):
    width = spec["model.width"]
    out = {"embed.tokens": ((spec.get("model.symbols", 0) or spec.vocab, width), 0.0, 0.7)}
    if spec.get("model.positions", "task") in ("task", "learned"):
        out["embed.positions"] = ((spec.positions, width), 0.0, 0.7)
    return out


def head_shapes(spec):
    return {**norm_shapes(spec, "readout.norm"), **linear_shapes("readout.head", spec["model.width"], spec.answers)}


def head(p, x):
    return linear(p, "readout.head", norm(p, "readout.norm", x))
