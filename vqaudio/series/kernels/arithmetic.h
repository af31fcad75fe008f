// Exponentials, logarithms and hashes of their own: IEEE 754 operations in a fixed order, so that each machine has the
// same results to the bit. Vectors have four numbers.
#pragma once

#include "kernel.h"

typedef float f32x4 __attribute__((vector_size(16)));
typedef double f64x2 __attribute__((vector_size(16)));
typedef int32_t i32x4 __attribute__((vector_size(16)));

#define INLINE static inline __attribute__((always_inline))

INLINE f32x4 splat(float x) { return (f32x4){x, x, x, x}; }

INLINE f32x4 select4(i32x4 mask, f32x4 yes, f32x4 no) { return (f32x4)(((i32x4)yes & mask) | ((i32x4)no & ~mask)); }

// Within [low, high]; low for what is no number.
INLINE f32x4 clamp4(f32x4 x, float low, float high) {
  const f32x4 l = splat(low), h = splat(high);
  x = select4(x > l, x, l);
  return select4(x < h, x, h);
}

INLINE double clamp(double x, double low, double high) { return x > low ? (x < high ? x : high) : low; }

INLINE double magnitude(double x) { return x < 0 ? -x : x; }

// exp(x) for x within [-40, 40]: a polynomial between powers of two.
INLINE f32x4 exp4(f32x4 x) {
  const f32x4 octaves = x * 1.44269504f + 64.0f;
  const i32x4 whole = __builtin_convertvector(octaves, i32x4);
  const f32x4 f = octaves - __builtin_convertvector(whole, f32x4);
  const f32x4 power =
      0.99999994f + f * (0.69315308f + f * (0.24015361f + f * (0.05582631f + f * (0.00898934f + f * 0.00187757f))));
  return (f32x4)((i32x4)power + ((whole - 64) << 23));
}

// Natural logarithm of numbers above 0: the exponent, and a series for the rest.
INLINE f32x4 log4(f32x4 x) {
  const i32x4 bits = (i32x4)x;
  const f32x4 exponent = __builtin_convertvector((bits >> 23) - 127, f32x4);
  const f32x4 mantissa = (f32x4)((bits & 0x7fffff) | 0x3f800000);
  const f32x4 z = (mantissa - 1.0f) / (mantissa + 1.0f), q = z * z;
  return exponent * 0.69314718f + z * (2.0f + q * (0.66666667f + q * (0.4f + q * (0.28571429f + q * 0.22222222f))));
}

// The probability whose logit is x.
INLINE float logistic(float x) { return 1.0f / (1.0f + exp4(clamp4(splat(-x), -20.0f, 20.0f))[0]); }

INLINE uint32_t hash(uint32_t one, uint32_t other) {
  uint32_t mixed = one * 0x9E3779B1u ^ (other + 0x7F4A7C15u) * 0x85EBCA6Bu;
  mixed ^= mixed >> 15;
  return mixed * 0xC2B2AE35u;
}

INLINE uint32_t hash_value(uint32_t one, int64_t value) {
  return hash(hash(one, (uint32_t)value), (uint32_t)((uint64_t)value >> 32));
}
