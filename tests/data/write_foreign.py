"""Writes HDF5 files that the reader must refuse, and some (good*.h5) that it must read, into a folder."""
import os
import sys

import h5py
import numpy

folder = sys.argv[1]


def make(name):
    return h5py.File(os.path.join(folder, name), "w")


with make("good_plain.h5") as f:
    f["a"] = numpy.arange(4.0)
with make("good_deflate.h5") as f:
    f.create_dataset("a", data=numpy.arange(100), chunks=(10,), compression="gzip", shuffle=True, fletcher32=True)
with make("good_text.h5") as f:
    f["a"] = numpy.array([b"x", b"yz"])
with make("soft_link.h5") as f:
    f["b"] = numpy.arange(3)
    f["a"] = h5py.SoftLink("/b")
with make("external_link.h5") as f:
    f["a"] = h5py.ExternalLink("/etc/passwd", "/x")
with make("group.h5") as f:
    f.create_group("a")
with make("named_type.h5") as f:
    f["a"] = numpy.dtype("f8")
with make("external_storage.h5") as f:
    f.create_dataset("a", (4,), "u1", external=[("/etc/passwd", 0, 4)])
with make("virtual.h5") as f:
    layout = h5py.VirtualLayout((4,), "f8")
    layout[:] = h5py.VirtualSource("good_plain.h5", "a", (4,))
    f.create_virtual_dataset("a", layout)
with make("filter_lzf.h5") as f:
    f.create_dataset("a", data=numpy.arange(100), chunks=(10,), compression="lzf")
with make("vlen_text.h5") as f:
    f["a"] = ["x", "yz"]
with make("vlen_array.h5") as f:
    f.create_dataset("a", (2,), h5py.vlen_dtype("i4"))
with make("reference.h5") as f:
    f.create_dataset("a", (2,), h5py.ref_dtype)
with make("compound.h5") as f:
    f["a"] = numpy.zeros(2, [("x", "f4"), ("y", "f4")])
with make("half.h5") as f:
    f["a"] = numpy.zeros(2, "f2")
with make("big_endian.h5") as f:
    f["a"] = numpy.zeros(2, ">f4")
with make("bomb.h5") as f:
    f.create_dataset("a", (1 << 40,), "f8", chunks=(1 << 20,), compression="gzip")
