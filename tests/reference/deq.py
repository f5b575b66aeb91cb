"""Reference of `deq`: a fixed point z = F(z) found by Anderson's method, Broyden's or damped iteration, its gradient by
the implicit function theorem or through the damped iteration (Bai et al., 1909.01377)."""
import torch

import parts
import reference

name = "deq"
RIDGE = 1e-8


def configurations():
    base = {
        "model.width": 8,
        "model.heads": 2,
        "model.hidden": 6,
        "model.positions": "rope",
        "model.placement": "post",
        "train.penalty": 0,
        "train.lr": 0.001,
    }
    implicit = {"train.gradient": "implicit:40", "depth.train": 30}
    yield {**base, **implicit, "model.solver": "anderson", "model.solver_memory": 3, "model.damping": 0.9}, {}
    yield {**base, **implicit, "model.solver": "broyden", "model.solver_memory": 6, "model.damping": 1}, {"padded": 1}
    damped = {"model.solver": "damped", "model.damping": 0.8, "train.gradient": "full", "depth.train": 4}
    yield {**base, **damped}, {}


def parameters(spec):
    shapes = {
        **parts.embed_shapes(spec),
        **parts.head_shapes(spec),
        **parts.block_shapes(spec, "core.0"),
        **parts.norm_shapes(spec, "state_norm"),
    }
    # Small maps keep F a contraction, so that iterations end at the fixed point.
    small = {n: (s, m, d * 0.35) if n.startswith("core.") and n.endswith(".weight") else (s, m, d) for n, (s, m, d) in shapes.items()}
    return small


def function(spec, p, batch):
    allowed = parts.allowed_pairs(spec, batch)
    e = parts.embed(spec, p, batch.tokens)
    return e, lambda z: parts.norm(p, "state_norm", parts.block(spec, p, "core.0", z + e, allowed))


def anderson(z, f, past, memory, damping):
    """One problem a row: the combination of remembered iterates with the least residual."""
    past.append((z, f))
    del past[:-memory]
    zs, fs = (torch.stack([pair[i].flatten(1) for pair in past], 1) for i in (0, 1))  # (B,m,n)
    g = fs - zs
    gram = g @ g.transpose(1, 2)
    largest = gram.diagonal(dim1=1, dim2=2).max(1).values
    gram = gram + RIDGE * largest[:, None, None] * torch.eye(gram.shape[1])
    alpha = torch.linalg.solve(gram, torch.ones(gram.shape[:2]))
    alpha = alpha / alpha.sum(1, keepdim=True)
    return (alpha[:, :, None] * (zs + damping * g)).sum(1).reshape(z.shape)


def broyden(z, f, past, memory):
    """The good method with the inverse Jacobian kept as a full matrix a row: -1 plus rank-one updates, and -1 again
    after `memory` of them."""
    rows, size = z.shape[0], z[0].numel()
    x, g = z.flatten(1), (f - z).flatten(1)
    if past:
        inverse, count, last_x, last_g = past[0]
        if count == memory:
            inverse, count = -torch.eye(size).expand(rows, -1, -1), 0
        dx, dg = x - last_x, g - last_g
        moved = (inverse @ dg[:, :, None]).squeeze(2)
        across = (dx[:, None, :] @ inverse).squeeze(1)
        scale = (across * dg).sum(1, keepdim=True)
        inverse = inverse + ((dx - moved) / scale)[:, :, None] * across[:, None, :]
        count += 1
    else:
        inverse, count = -torch.eye(size).expand(rows, -1, -1), 0
    past[:] = [(inverse, count, x, g)]
    return (x - (inverse @ g[:, :, None]).squeeze(2)).reshape(z.shape)


def iterate(spec, f_of, z, periods):
    """Yields the best F(z) so far of every row after every update."""
    past, best, least = [], None, None
    for _ in range(periods):
        f = f_of(z)
        residual = ((f - z).flatten(1).norm(dim=1) / f.flatten(1).norm(dim=1)).detach()
        better = torch.ones(len(z), dtype=torch.bool) if best is None else residual < least
        best = f if best is None else torch.where(better[:, None, None], f, best)
        least = residual if least is None else torch.where(better, residual, least)
        if spec["model.solver"] == "anderson":
            z = anderson(z, f, past, spec["model.solver_memory"], spec["model.damping"])
        elif spec["model.solver"] == "broyden":
            z = broyden(z, f, past, spec["model.solver_memory"])
        else:
            z = z + spec["model.damping"] * (f - z)
        yield best


def run(spec, p, batch, periods):
    e, f_of = function(spec, p, batch)
    return [{"logits": parts.head(p, best)} for best in iterate(spec, f_of, 0 * e, periods)]


class FixedPoint(torch.autograd.Function):
    """y = F(z) whose incoming gradient v becomes u = v + J^T u, J the Jacobian of F at z, by iterations."""

    @staticmethod
    def forward(context, y, z, f_of, iterations):
        context.z, context.f_of, context.iterations = z, f_of, iterations
        return y.clone()

    @staticmethod
    def backward(context, v):
        with torch.enable_grad():
            z = context.z.detach().requires_grad_()
            y = context.f_of(z)
            u = v
            for _ in range(context.iterations):
                u = v + torch.autograd.grad(y, z, u, retain_graph=True)[0]
        return u, None, None, None


def loss(spec, p, readouts, batch):
    gradient = spec["train.gradient"]
    if gradient == "full":
        return reference.mean_loss(spec, readouts[-1]["logits"], batch)
    e, f_of = function(spec, p, batch)
    with torch.no_grad():
        best = list(iterate(spec, f_of, 0 * e, spec["depth.train"] - 1))[-1]
    y = FixedPoint.apply(f_of(best), best, f_of, int(gradient.split(":")[1]))
    return reference.mean_loss(spec, parts.head(p, y), batch)


if __name__ == "__main__":
    import sys

    reference.generate(sys.modules[__name__])
