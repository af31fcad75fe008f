// Residuals by adaptive frequencies of tokens, to bytes and back (vqaudio/series/coding/adaptive.py).
#include "residuals.h"

enum { CONTEXTS = 2 * (MEAN_BITS + DIRECT_BITS) + 1, INCREMENT = 32, PRIOR_WEIGHT = 16, MOST_TOTAL = 1 << 16 };

// What stands below each token: all but the last sum fit 16 bits, and so eight of them one vector.
typedef struct {
  uint16_t below[ALPHABET] __attribute__((aligned(16)));
  uint32_t total;
} Table;

static Table tables[CONTEXTS];

static void set_frequencies(Table *table, const uint32_t *frequencies) {
  table->total = 0;
  for (uint32_t token = 0; token < ALPHABET; token++) {
    table->below[token] = (uint16_t)table->total;
    table->total += frequencies[token];
  }
}

// Residuals whose running mean has this context, from a geometric series.
static void set_laplacian(uint32_t context) {
  uint64_t mean = (uint64_t)1 << context / 2, weight = 1 << 20, weights[ALPHABET], total = 0;
  mean += context % 2 ? mean / 2 : 0;
  for (uint32_t token = 0; token < ALPHABET; token++) {
    weights[token] = weight;
    total += weight;
    if (token % 2 == 0) weight = weight * mean / (mean + (1 << MEAN_BITS));
  }
  uint32_t frequencies[ALPHABET];
  for (uint32_t token = 0; token < ALPHABET; token++)
    frequencies[token] = (uint32_t)(1 + PRIOR_WEIGHT * INCREMENT * weights[token] / total);
  set_frequencies(&tables[context], frequencies);
}

static void set_tables(void) {
  for (uint32_t context = 0; context < CONTEXTS; context++) set_laplacian(context);
}

static __attribute__((noinline)) void halve(Table *table) {
  uint32_t frequencies[ALPHABET];
  for (uint32_t token = 0; token < ALPHABET; token++) {
    const uint32_t above = token == ESCAPE ? table->total : table->below[token + 1];
    frequencies[token] = ((uint16_t)(above - table->below[token]) + 1u) >> 1;
  }
  set_frequencies(table, frequencies);
}

static const uint16_t NUMBERS[ALPHABET] __attribute__((aligned(16))) = {
    0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21,
    22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43,
    44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63};

INLINE void update(Table *table, uint32_t token) {
  const v128_t here = wasm_i16x8_splat((int16_t)token), increment = wasm_i16x8_splat(INCREMENT);
  for (uint32_t at = 0; at < ALPHABET; at += 8) {
    const v128_t later = wasm_i16x8_gt(wasm_v128_load(NUMBERS + at), here);
    const v128_t below = wasm_v128_load(table->below + at);
    wasm_v128_store(table->below + at, wasm_i16x8_add(below, wasm_v128_and(later, increment)));
  }
  table->total += INCREMENT;
  if (table->total > MOST_TOTAL) halve(table);
}

// The token whose frequencies hold this place among all of them: how many others have nothing above it below them.
INLINE uint32_t token_at(const Table *table, uint32_t left) {
  const v128_t wanted = wasm_i16x8_splat((int16_t)left);
  v128_t counts = wasm_i16x8_splat(0);
  for (uint32_t at = 0; at < ALPHABET; at += 8)
    counts = wasm_i16x8_sub(counts, wasm_u16x8_le(wasm_v128_load(table->below + at), wanted));
  counts = wasm_i32x4_extadd_pairwise_i16x8(counts);
  counts = wasm_i32x4_add(counts, wasm_i32x4_shuffle(counts, counts, 2, 3, 0, 1));
  return (uint32_t)(wasm_i32x4_extract_lane(counts, 0) + wasm_i32x4_extract_lane(counts, 1)) - 1;
}

typedef struct {
  uint32_t start, frequency;
} Interval;

INLINE Interval interval_of(const Table *table, uint32_t token) {
  const uint64_t below = table->below[token], above = token == ESCAPE ? table->total : table->below[token + 1];
  const uint32_t start = (uint32_t)((below << PRECISION) / table->total);
  return (Interval){start, (uint32_t)((above << PRECISION) / table->total) - start};
}

// Of the mean that is left after the shift: half octaves.
INLINE uint32_t context_of(uint64_t left) { return bit_length(left * left); }

// From `row` on, while residuals are narrow or to the end; returns the row where it stopped.
INLINE int32_t encode_rows(Encoder *to, const int64_t *residuals, int32_t row, int32_t n_rows, i128 *state, int wide) {
  Encoder encoder = *to;
  i128 wide_mean = *state;
  int64_t mean = (int64_t)*state;
  for (; row < n_rows && (wide || size_of(residuals[row]) < NARROW); row++) {
    const int64_t residual = residuals[row];
    const uint32_t shift = wide ? wide_bit_length((u128)(wide_mean >> (MEAN_BITS + DIRECT_BITS)))
                                : bit_length((uint64_t)mean >> (MEAN_BITS + DIRECT_BITS));
    Table *table = &tables[context_of(wide ? (uint64_t)(wide_mean >> shift) : (uint64_t)mean >> shift)];
    const u128 value = wide ? wide_unsigned(residual)
                            : (u128)(residual > 0 ? 2 * (uint64_t)residual - 1 : 2 * size_of(residual));
    const uint32_t token = value >> shift < ESCAPE ? (uint32_t)(value >> shift) : ESCAPE;
    const Interval interval = interval_of(table, token);
    encode_interval(&encoder, interval.start, interval.frequency);
    update(table, token);
    if (token == ESCAPE || shift) encode_rest(&encoder, value, shift);
    if (wide) update_wide_mean(&wide_mean, residual);
    else update_mean(&mean, residual);
  }
  *to = encoder;
  *state = wide ? wide_mean : mean;
  return row;
}

// `bytes` have room for MOST_BYTES a row and a few more; returns how many there are.
int64_t EXPORT(encode_adaptive)(const int64_t *residuals, int32_t n_rows, uint8_t *bytes) {
  set_tables();
  Encoder encoder = encoder_to(bytes);
  i128 mean = 1 << MEAN_BITS;
  const int32_t row = encode_rows(&encoder, residuals, 0, n_rows, &mean, 0);
  encode_rows(&encoder, residuals, row, n_rows, &mean, 1);
  return finish(&encoder);
}

INLINE int64_t decode_rows(Decoder *from, int64_t *residuals, int32_t row, int32_t n_rows, i128 *state, int wide) {
  Decoder decoder = *from;
  i128 wide_mean = *state;
  int64_t mean = (int64_t)*state;
  while (row < n_rows) {
    const uint32_t shift = wide ? wide_bit_length((u128)(wide_mean >> (MEAN_BITS + DIRECT_BITS)))
                                : bit_length((uint64_t)mean >> (MEAN_BITS + DIRECT_BITS));
    Table *table = &tables[context_of(wide ? (uint64_t)(wide_mean >> shift) : (uint64_t)mean >> shift)];
    const uint32_t left = (uint32_t)(((uint64_t)(place(&decoder) + 1) * table->total - 1) >> PRECISION);
    const uint32_t token = token_at(table, left);
    const Interval interval = interval_of(table, token);
    take_interval(&decoder, interval.start, interval.frequency);
    update(table, token);
    int64_t residual = token & 1 ? (int64_t)(token >> 1) + 1 : -(int64_t)(token >> 1);
    if (token == ESCAPE || shift) {
      const int64_t damage = decode_rest(&decoder, token, shift, &residual);
      if (damage) return (int32_t)damage;
    }
    residuals[row++] = residual;
    if (wide) {
      update_wide_mean(&wide_mean, residual);
    } else if (size_of(residual) < NARROW) {
      update_mean(&mean, residual);
    } else {
      wide_mean = mean;
      update_wide_mean(&wide_mean, residual);
      break;
    }
  }
  *from = decoder;
  *state = wide || (row < n_rows) ? wide_mean : mean;
  return row;
}

// DECODER_PADDING zeros stand behind `bytes`.
int64_t EXPORT(decode_adaptive)(const uint8_t *bytes, int32_t n_bytes, int64_t *residuals, int32_t n_rows) {
  set_tables();
  Decoder decoder = decoder_of(bytes, n_bytes);
  i128 mean = 1 << MEAN_BITS;
  const int32_t row = decode_rows(&decoder, residuals, 0, n_rows, &mean, 0);
  return row < 0 ? row : decode_rows(&decoder, residuals, row, n_rows, &mean, 1);
}
