// Residuals as tokens and bits, and how large they have been of late (vqaudio/series/coding/adaptive.py).
#pragma once

#include "rangecoder.h"

enum { ALPHABET = 64, ESCAPE = ALPHABET - 1, MEAN_BITS = 8, MEAN_MEMORY = 3, DIRECT_BITS = 3, LENGTH_BITS = 7 };

// Means of residuals below this size fit 64 bits.
static const uint64_t NARROW = (uint64_t)1 << 52;

INLINE uint32_t bit_length(uint64_t value) { return value ? 64 - (uint32_t)__builtin_clzll(value) : 0; }

static inline uint32_t wide_bit_length(u128 value) {
  return value >> 64 ? 64 + bit_length((uint64_t)(value >> 64)) : bit_length((uint64_t)value);
}

INLINE uint64_t size_of(int64_t residual) { return residual < 0 ? -(uint64_t)residual : (uint64_t)residual; }

// 0, 1, -1, 2, ... to 0, 1, 2, 3, ...
INLINE u128 wide_unsigned(int64_t residual) {
  return residual > 0 ? 2 * (u128)(uint64_t)residual - 1 : 2 * (u128)size_of(residual);
}

INLINE void update_mean(int64_t *mean, int64_t residual) {
  *mean += ((int64_t)(size_of(residual) << MEAN_BITS) - *mean) >> MEAN_MEMORY;
}

INLINE void update_wide_mean(i128 *mean, int64_t residual) {
  *mean += ((i128)((u128)size_of(residual) << MEAN_BITS) - *mean) >> MEAN_MEMORY;
}

// What a residual has beside its token, `token` being what it is before the escape bounds it.
INLINE void encode_rest(Encoder *encoder, u128 unsigned_residual, uint32_t shift) {
  if (unsigned_residual >> shift >= ESCAPE) {
    const u128 more = (unsigned_residual >> shift) - ESCAPE;
    encode_bits(encoder, wide_bit_length(more), LENGTH_BITS);
    encode_bits(encoder, more, wide_bit_length(more));
  }
  if (shift) encode_bits(encoder, unsigned_residual, shift);
}

// 0, or BEYOND_64_BITS.
INLINE int64_t decode_rest(Decoder *decoder, uint32_t token, uint32_t shift, int64_t *residual) {
  u128 value = token;
  if (token == ESCAPE) {
    const uint32_t bits = (uint32_t)decode_bits(decoder, LENGTH_BITS);
    if (bits > 65) return BEYOND_64_BITS;
    value += decode_bits(decoder, bits);
    if (value >> (66 - shift)) return BEYOND_64_BITS;
  }
  if (shift) value = value << shift | decode_bits(decoder, shift);
  if (value > (u128)1 << 64 || value == UINT64_MAX) return BEYOND_64_BITS;
  *residual = (int64_t)(value & 1 ? (uint64_t)(value >> 1) + 1 : -(uint64_t)(value >> 1));
  return 0;
}
