#!/usr/bin/env python3
"""Opens weights of Subvocal: python3 open_weights.py runs/demo/model.safetensors

Uses the safetensors package where it is installed, else the short numpy reader below.
"""
# %% Reading
import json
import sys

import numpy

path = sys.argv[1] if len(sys.argv) > 1 else "runs/demo/model.safetensors"
TYPES = {"F64": "<f8", "F32": "<f4", "I64": "<i8", "I32": "<i4", "U8": "u1"}


def read_with_numpy(path):
    """A dict of arrays. Layout: u64 size of the header, JSON header, bytes of the tensors."""
    with open(path, "rb") as file:
        size = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(size))
        data = file.read()
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        if entry["dtype"] == "BF16":  # the upper half of a float32
            half = numpy.frombuffer(data[begin:end], "<u2").astype("<u4")
            flat = (half << 16).view("<f4")
        else:
            flat = numpy.frombuffer(data[begin:end], TYPES[entry["dtype"]])
        tensors[name] = flat.reshape(entry["shape"])
    return tensors


try:
    from safetensors.numpy import load_file
except ImportError:
    load_file = read_with_numpy

# %% Every parameter has the model axis M in front: tensor[m] belongs to seed m
for name, tensor in sorted(load_file(path).items()):
    values = tensor.astype("f8")
    spread = values.std() if values.size else 0.0
    print(f"{name:40s} {str(tensor.dtype):8s} {str(tensor.shape):20s} std {spread:.4g}")
