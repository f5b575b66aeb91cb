"""Reference of `looped`: h_r = N(blocks(inject(h_(r-1), e))), the same weights at every update."""
import parts
import reference
from reference import random_settings

name = "looped"


def configurations():
    for seed in (1, 2, 3):
        settings = random_settings(
            seed,
            {
                "model.width": [8],
                "model.heads": [2],
                "model.kv_heads": [0, 1],
                "model.hidden": [6],
                "model.mlp": ["swiglu", "gelu"],
                "model.norm": ["rmsnorm", "layernorm"],
                "model.placement": ["pre", "post", "sandwich"],
                "model.positions": ["rope", "learned"],
                "train.supervision": ["last", "every"],
                "train.loss": ["softmax", "stablemax"],
                "train.ema": [0, 0.9],
                "depth.train": [3],
            },
        )
        yield settings, {"padded": seed % 2, "causal": seed // 2}


def parameters(spec):
    return {
        **parts.embed_shapes(spec),
        **parts.head_shapes(spec),
        **parts.block_shapes(spec, "core.0"),
        **parts.norm_shapes(spec, "state_norm"),
    }


def run(spec, p, batch, periods):
    allowed = parts.allowed_pairs(spec, batch)
    e = parts.embed(spec, p, batch.tokens)
    h, out = 0 * e, []
    for _ in range(periods):
        h = parts.norm(p, "state_norm", parts.block(spec, p, "core.0", h + e, allowed))
        out.append({"logits": parts.head(p, h)})
    return out


def loss(spec, p, readouts, batch):
    used = readouts if spec["train.supervision"] == "every" else readouts[-1:]
    return sum(reference.mean_loss(spec, y["logits"], batch) for y in used) / len(used)


if __name__ == "__main__":
    import sys

    reference.generate(sys.modules[__name__])
