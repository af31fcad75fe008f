// About what residuals cost, the same on every machine (vqaudio/series/prediction/fitting.py).
#pragma once

#include "kernel.h"

// Residuals whose mean size counts; so many bounded ones add up exactly.
enum { BLOCK = 64 };

#define LARGEST_SIZE 0x1p46

INLINE double bounded_size(int64_t residual) {
  const double size = __builtin_fabs((double)residual);
  return size < LARGEST_SIZE ? size : LARGEST_SIZE;
}

// In 1/1024 bits: the logarithm of the mean size, drawn with straight lines between powers of two.
INLINE int64_t block_cost(double sum, int32_t count) {
  union {
    double number;
    uint64_t bits;
  } mean = {sum / count + 0.25};  // at least 2**-2: no subnormal number
  const int32_t exponent = (int32_t)(mean.bits >> 52) - 1022;
  mean.bits = (mean.bits & (((uint64_t)1 << 52) - 1)) | (uint64_t)1022 << 52;
  return (int64_t)(count * (exponent + 2 * mean.number + 0.125) * 1024);
}
