// What the machine can do at most, measured in this process: multiply-adds from registers, and
// bytes streamed from memory. Every fraction of a limit refers to these, never to a data sheet.
#pragma once

namespace sv::cpu {

/// GFLOP/s of `threads` threads that only multiply and add in registers, with the widest vectors of
/// the instruction set in use (SV_ISA), single precision.
double fma_peak(int threads);
/// GB/s of `threads` threads that add one large array into another (two reads and a write each).
double stream_bandwidth(int threads);

}  // namespace sv::cpu
