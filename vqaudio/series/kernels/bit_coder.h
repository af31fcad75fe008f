// Binary arithmetic coding without carries, 32 bits wide, after Mahoney, "Adaptive weighing of context models for
// lossless data compression", 2005 (PAQ). Readers read zeros behind the end.
#pragma once

#include "arithmetic.h"

typedef struct {
  uint8_t *data;
  int64_t size, at;
  uint32_t low, high, code;
  int32_t decoding;
} BitCoder;

INLINE uint32_t next_byte(BitCoder *coder) {
  const int64_t at = coder->at++;
  return at < coder->size ? coder->data[at] : 0;
}

INLINE void put_byte(BitCoder *coder, uint32_t byte) {
  if (coder->at < coder->size) coder->data[coder->at] = (uint8_t)byte;
  coder->at++;
}

static void open_coder(BitCoder *coder, uint8_t *data, int64_t size, int32_t decoding) {
  *coder = (BitCoder){.data = data, .size = size, .high = 0xffffffffu, .decoding = decoding};
  for (int32_t i = 0; decoding && i < 4; i++) coder->code = coder->code << 8 | next_byte(coder);
}

// One bit, which is 1 with a probability of `likelihood` / 2**16, 1 to 65535; `bit` is what to encode.
INLINE int32_t code_bit(BitCoder *coder, int32_t bit, uint32_t likelihood) {
  const uint32_t middle = coder->low + (uint32_t)(((uint64_t)(coder->high - coder->low) * likelihood) >> 16);
  if (coder->decoding) bit = coder->code <= middle;
  if (bit)
    coder->high = middle;
  else
    coder->low = middle + 1;
  while (!((coder->low ^ coder->high) >> 24)) {
    if (coder->decoding)
      coder->code = coder->code << 8 | next_byte(coder);
    else
      put_byte(coder, coder->high >> 24);
    coder->low <<= 8;
    coder->high = coder->high << 8 | 255;
  }
  return bit;
}

// The last byte: the shortest number between low and high. None if that is zeros, which readers find behind the end.
static void close_coder(BitCoder *coder) {
  if (coder->low) put_byte(coder, (coder->low >> 24) + 1);
}
