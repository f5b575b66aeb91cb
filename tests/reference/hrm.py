"""Reference of `hrm`; formulas in recursive.py."""
import recursive
from recursive import curve, loss, parameters, period, run, steps  # noqa: F401

name = "hrm"


def configurations():
    base = {
        **recursive.RECIPE,
        "model.inner": 2,
        "model.prefix": 1,
        "model.positions": "rope",
        "depth.train": 2,
        "train.gradient": "one_step",
        "halt.rule": "learned",
    }
    yield {
        **base,
        "model.layers": 2,
        "train.loss": "stablemax",
        "train.segments": 4,
        "train.explore": 0.3,
        "train.optimiser": "adam_atan2",
        "train.clip": 0.0,
        "train.weight_decay": 1.0,
    }, {"padded": 0}
    yield {
        **base,
        "model.positions": "learned",
        "model.puzzles": 2,
        "model.prefix": 2,
        "train.segments": 3,
        "train.embedding_lr": 0.01,
        "train.embedding_weight_decay": 0.1,
    }, {"padded": 1}
    yield {**base, "model.inner": 1, "depth.train": 3, "train.gradient": "full"}, {"padded": 1}


if __name__ == "__main__":
    import sys

    import reference

    reference.generate(sys.modules[__name__])
    recursive.publish(sys.modules[__name__], {1: "hrm", 2: "hrm"})
