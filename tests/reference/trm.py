"""Reference of `trm` and its descendants EqR, URM and RSM; formulas in recursive.py."""
import recursive
from recursive import curve, loss, parameters, period, run, steps  # noqa: F401

name = "trm"


def configurations():
    base = {
        **recursive.RECIPE,
        "model.inner": 2,
        "model.prefix": 2,
        "model.positions": "rope",
        "depth.train": 2,
        "train.gradient": "round",
        "halt.rule": "learned",
    }
    tokens = {"model.mixer": "tokens", "model.token_hidden": 7, "model.positions": "none"}
    segments = {"train.segments": 4, "train.loss": "stablemax", "train.optimiser": "adam_atan2", "train.clip": 0.0}
    yield {**base, **segments, "model.layers": 2, "train.explore": 0.3}, {"padded": 1}
    yield {**base, **tokens, **segments, "model.layers": 2, "train.ema": 0.9}, {}
    eqr = {"model.damping": 0.95, "model.noise": 0.01, "model.init": "random", "model.prefix": 0}
    yield {**base, **segments, **eqr}, {}
    urm = {"model.states": 1, "model.conv": 2, "model.prefix": 1, "depth.train": 4}
    yield {**base, **segments, **urm}, {}
    rsm = {
        "model.halt_head": 0,
        "model.tied_head": 1,
        "model.token_norm": 0,
        "model.prefix": 0,
        "model.inner": "1@0,2@50",
        "model.symbols": 7,
        "model.token_shift": 1,
        "model.answer_shift": 2,
        "halt.rule": "none",
    }
    yield {**base, **tokens, **rsm}, {}


if __name__ == "__main__":
    import sys

    import reference

    reference.generate(sys.modules[__name__])
    recursive.publish(sys.modules[__name__], {1: "trm", 2: "trm", 3: "eqr", 4: "urm", 5: "rsm"})
