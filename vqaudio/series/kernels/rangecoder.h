// The range coder of vqaudio/intnet/rangecoder.py, to the byte.
#pragma once

#include "kernel.h"

enum { PRECISION = 20, STATE_BITS = 48 };
static const uint64_t STATE = (uint64_t)1 << STATE_BITS, SETTLED = ((uint64_t)1 << (STATE_BITS - 8)) - 1;

// Bytes that a range has settled, 0 to 3: intervals are one of 2**20 or more.
static inline uint32_t n_settled(uint64_t range) {
  return range > SETTLED ? 0 : ((uint32_t)__builtin_clzll(range) - (64 - STATE_BITS)) >> 3;
}

typedef struct {
  uint64_t low, range;
  uint8_t *start, *end;
} Encoder;

// `bytes` is long enough for whatever comes.
static inline Encoder encoder_to(uint8_t *bytes) { return (Encoder){0, STATE, bytes, bytes}; }

static __attribute__((noinline)) void carry(uint8_t *last) {
  while (*last == 0xFF) *last-- = 0;
  ++*last;
}

static inline void encode_interval(Encoder *encoder, uint32_t start, uint32_t frequency) {
  const uint64_t step = encoder->range >> PRECISION;
  uint64_t low = encoder->low + start * step, range = frequency * step;
  if (low >> STATE_BITS) {
    carry(encoder->end - 1);
    low -= STATE;
  }
  const uint32_t n = n_settled(range);
  encoder->end[0] = (uint8_t)(low >> (STATE_BITS - 8));
  encoder->end[1] = (uint8_t)(low >> (STATE_BITS - 16));
  encoder->end[2] = (uint8_t)(low >> (STATE_BITS - 24));
  encoder->end += n;
  encoder->low = (low << 8 * n) & (STATE - 1);
  encoder->range = range << 8 * n;
}

// `bits` bits of which nothing is known, highest first, 16 at once.
static inline void encode_bits(Encoder *encoder, u128 value, uint32_t bits) {
  while (bits) {
    const uint32_t count = bits < 16 ? bits : 16;
    bits -= count;
    const uint32_t piece = (uint32_t)(value >> bits) & ((1u << count) - 1);
    encode_interval(encoder, piece << (PRECISION - count), 1u << (PRECISION - count));
  }
}

// How many bytes there are: the fewest that stand for the symbols when zeros follow.
static inline int64_t finish(Encoder *encoder) {
  uint64_t value = 0;
  for (uint32_t kept = 0; kept <= STATE_BITS; kept += 8) {
    const uint64_t below = ((uint64_t)1 << (STATE_BITS - kept)) - 1;
    value = (encoder->low + below) & ~below;
    if (value < encoder->low + encoder->range) break;
  }
  if (value >> STATE_BITS) carry(encoder->end - 1);
  for (int32_t at = STATE_BITS - 8; at >= 0; at -= 8) *encoder->end++ = (uint8_t)(value >> at);
  while (encoder->end > encoder->start && !encoder->end[-1]) encoder->end--;
  return encoder->end - encoder->start;
}

typedef struct {
  uint64_t value, range;
  const uint8_t *at, *end;
} Decoder;

// `DECODER_PADDING` zeros stand behind the bytes.
static inline Decoder decoder_of(const uint8_t *bytes, int32_t n_bytes) {
  uint64_t value = 0;
  const uint8_t *end = bytes + n_bytes;
  for (uint32_t i = 0; i < STATE_BITS / 8; i++) value = value << 8 | (bytes < end ? *bytes++ : 0);
  return (Decoder){value, STATE, bytes, end};
}

// A number below 2**20 in the interval of the next symbol.
static inline uint32_t place(const Decoder *decoder) {
  const uint64_t found = decoder->value / (decoder->range >> PRECISION);
  return found >> PRECISION ? (1u << PRECISION) - 1 : (uint32_t)found;
}

static inline void take_interval(Decoder *decoder, uint32_t start, uint32_t frequency) {
  const uint64_t step = decoder->range >> PRECISION;
  uint64_t range = frequency * step, value = decoder->value - start * step;
  if (value >= range) value = range - 1;  // of damaged bytes alone
  const uint32_t n = n_settled(range);
  const uint32_t next = (uint32_t)decoder->at[0] << 16 | (uint32_t)decoder->at[1] << 8 | decoder->at[2];
  decoder->value = value << 8 * n | next >> (24 - 8 * n);
  decoder->range = range << 8 * n;
  decoder->at += n;
  if (decoder->at > decoder->end) decoder->at = decoder->end;
}

static inline u128 decode_bits(Decoder *decoder, uint32_t bits) {
  u128 value = 0;
  while (bits) {
    const uint32_t count = bits < 16 ? bits : 16;
    bits -= count;
    const uint32_t piece = place(decoder) >> (PRECISION - count);
    take_interval(decoder, piece << (PRECISION - count), 1u << (PRECISION - count));
    value = value << count | piece;
  }
  return value;
}
