"""Converts a checkpoint written by torch.save to safetensors: names and values stay as they are.

usage: convert_pickle.py CHECKPOINT OUT.safetensors

Only tensors are unpickled (weights_only). A checkpoint that holds more than a state dict is searched for one under
model_state, model, state_dict or module. Needs PyTorch, and nothing else.
"""
import json
import pathlib
import struct
import sys

import torch

KINDS = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.uint8: "U8",
}
NESTED = ("model_state", "model", "state_dict", "module")


def state_dict(loaded, path):
    """The names and tensors of a checkpoint."""
    while isinstance(loaded, dict) and not any(isinstance(v, torch.Tensor) for v in loaded.values()):
        inside = next((loaded[k] for k in NESTED if isinstance(loaded.get(k), dict)), None)
        if inside is None:
            sys.exit(f"{path} holds no state dict; its members are {', '.join(map(str, loaded))}")
        loaded = inside
    others = [k for k, v in loaded.items() if not isinstance(v, torch.Tensor)]
    if others:
        print(f"left out, as they are no tensors: {', '.join(others)}", file=sys.stderr)
    return {k: v for k, v in loaded.items() if isinstance(v, torch.Tensor)}


def write(path, tensors):
    """One file, larger elements first so that every tensor is aligned."""
    tensors = {n: x.detach().cpu().contiguous() for n, x in tensors.items()}
    tensors = {n: x.float() if x.dtype == torch.float16 else x for n, x in tensors.items()}
    header, at, chunks = {"__metadata__": {"format": "pt"}}, 0, []
    for name in sorted(tensors, key=lambda n: (-tensors[n].element_size(), n)):
        x = tensors[name]
        if x.dtype not in KINDS:
            sys.exit(f"{name} has the type {x.dtype}, which is not supported")
        data = x.reshape(-1).view(torch.uint8).numpy().tobytes()
        header[name] = {"dtype": KINDS[x.dtype], "shape": list(x.shape), "data_offsets": [at, at + len(data)]}
        at += len(data)
        chunks.append(data)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.writelines(chunks)


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    source, target = map(pathlib.Path, sys.argv[1:])
    tensors = state_dict(torch.load(source, map_location="cpu", weights_only=True), source)
    write(target, tensors)
    print(f"{target}: {len(tensors)} tensors")


if __name__ == "__main__":
    main()
