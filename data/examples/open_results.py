#!/usr/bin/env python3
"""Opens a results or data-set file of Subvocal: python3 open_results.py runs/demo/depth.h5

Needs h5py; with xarray and h5netcdf it also shows the labelled form.
"""
# %% The file with h5py: arrays, attributes, named dimensions
import sys

import h5py

path = sys.argv[1] if len(sys.argv) > 1 else "runs/demo/depth.h5"


def text(value):
    """Fixed-length strings arrive as bytes."""
    return value.decode() if isinstance(value, bytes) else value


with h5py.File(path, "r") as file:
    print(path)
    for key, value in sorted(file.attrs.items()):
        print(f"  {key}: {text(value)}")
    for name, array in file.items():
        dims = [dim[0].name.lstrip("/") if len(dim) else name for dim in array.dims]
        shape = ", ".join(f"{dim}={size}" for dim, size in zip(dims, array.shape))
        print(f"  {name} ({shape}) {array.dtype}  {text(array.attrs['long_name'])} [{text(array.attrs['units'])}]")

# %% The same with xarray: select and average by name
try:
    import xarray
except ImportError:
    print("xarray is not installed; h5py above is enough to read everything")
    sys.exit(0)

data = xarray.open_dataset(path, engine="h5netcdf", decode_timedelta=False)
print(data)
for name, array in data.data_vars.items():
    if "model" in array.dims and array.dtype.kind == "f":  # models are seeds: the sample of every measurement
        print(f"{name}: mean over {array.sizes['model']} models")
        print(array.mean("model").values)
