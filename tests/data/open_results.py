"""Opens the file that h5_test.cpp wrote with h5py and xarray, and compares. Exit 77: a package is missing."""
import sys

try:
    import h5netcdf  # noqa: F401
    import h5py
    import numpy
    import xarray
except ImportError as error:
    print(error)
    sys.exit(77)

path = sys.argv[1]
with h5py.File(path, "r") as file:
    accuracy = file["accuracy"]
    assert accuracy.dims[0][0].name == "/model" and accuracy.dims[1][0].name == "/depth"
    assert accuracy.fletcher32 and accuracy.chunks == (2, 3)
    assert accuracy.attrs["units"].decode() == "1"
    assert file.attrs["schema_version"] == 1
    assert file["name"][1].decode() == "zwölf"

data = xarray.open_dataset(path, engine="h5netcdf")
assert data.attrs["Conventions"] == "CF-1.8" and data.attrs["config_digest"] == "abc", data.attrs
assert dict(data.sizes) == {"model": 2, "depth": 3}, data.sizes
assert data["accuracy"].dims == ("model", "depth")
assert data["accuracy"].attrs["long_name"] == "share of right answers"
assert data["accuracy"].dtype == numpy.float32
assert data["accuracy"].sel(depth=8, model=1).item() == 6.0
assert list(data["depth"].values) == [1, 4, 8] and list(data["model"].values) == [0, 1]
assert data["loss"].dtype == numpy.float64 and data["count"].dtype == numpy.int64
assert data["flag"].dtype == numpy.uint8 and data["steps"].dtype == numpy.int32
assert data.attrs["threshold"] == 0.5
