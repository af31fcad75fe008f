// What a network is shown of a row before its token is known (vqaudio/series/coding/context_features.py).
#pragma once

#include "residuals.h"

enum {
  CONTEXT_ROWS = 512,
  N_RESIDUALS = 8,
  N_FEATURES = 103,
  N_INPUTS = N_FEATURES + 1,
  MOST_SHOWN = 3,
  N_SHOWN_ROWS = 4,
  FRACTION_BITS = 7,
  LARGEST_DIFFERENCE = 400,
  DIFFERENCE_BITS = 2,
  BLOCK_ROWS = 16
};

static const int64_t LARGEST_VALUE = (int64_t)1 << 40;
static const int32_t LAGS[] = {2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20,
                               21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 48, 49, 72, 73, 168, 169};
enum { N_LAGS = sizeof LAGS / sizeof *LAGS, N_STEPS = 11, FIRST_BLOCK = 32 };

typedef struct {
  const int8_t *companded;  // of differences from -LARGEST_DIFFERENCE to LARGEST_DIFFERENCE
  const int8_t *means;
  int64_t *values;     // CONTEXT_ROWS before the first row
  uint64_t *sums;      // of all values before each
  int64_t *residuals;  // N_RESIDUALS before the first row
  int8_t *shown;       // (MOST_SHOWN, rows): features of other columns
  int32_t n_shown, n_rows;
} Context;

INLINE int16_t compand(const Context *context, int64_t difference) {
  const int64_t least = difference > -LARGEST_DIFFERENCE ? difference : -LARGEST_DIFFERENCE;
  return context->companded[LARGEST_DIFFERENCE + (least < LARGEST_DIFFERENCE ? least : LARGEST_DIFFERENCE)];
}

// Steps of other columns in units of their mean.
static inline void show_columns(Context *context, const uint64_t *columns) {
  const int32_t n_rows = context->n_rows;
  for (int32_t number = 0; number < context->n_shown; number++, columns += n_rows) {
    uint64_t wrapped = 0;
    for (int32_t row = 1; row < n_rows; row++) wrapped += size_of((int64_t)(columns[row] - columns[row - 1]));
    const int64_t sum = (int64_t)wrapped > 1 ? (int64_t)wrapped : 1;
    int8_t *features = context->shown + number * n_rows;
    features[0] = context->companded[LARGEST_DIFFERENCE];
    for (int32_t row = 1; row < n_rows; row++) {
      const int64_t step = (int64_t)((columns[row] - columns[row - 1]) * (uint64_t)n_rows << DIFFERENCE_BITS);
      const int64_t quotient = step / sum, exact = quotient * sum;
      features[row] = (int8_t)compand(context, quotient - (step < exact));
    }
  }
}

// The first value stands for all before it.
static inline void start_context(Context *context, int64_t value) {
  for (int32_t row = 0; row < CONTEXT_ROWS; row++) {
    context->values[row] = value;
    context->sums[row + 1] = context->sums[row] + (uint64_t)value;
  }
}

static inline void add_to_context(Context *context, int32_t row, int64_t value, int64_t residual) {
  if (row == 0) start_context(context, value);
  const int32_t place = CONTEXT_ROWS + row;
  context->values[place] = value;
  context->sums[place + 1] = context->sums[place] + (uint64_t)value;
  context->residuals[N_RESIDUALS + row] = residual;
}

// `nearest` is within LARGEST_VALUE; all zero for the first row.
static inline void context_features(const Context *context, int32_t row, int64_t nearest, int64_t fraction, int64_t mean,
                                    uint32_t shift, int16_t features[N_INPUTS]) {
  const int64_t *values = context->values + CONTEXT_ROWS + row, last = values[-1];
  int16_t *to = features;
  if (row == 0) {
    for (int32_t i = 0; i < N_INPUTS; i++) features[i] = 0;
    return;
  }
#define SCALED(difference) compand(context, ((difference) << DIFFERENCE_BITS) >> shift)
  for (uint32_t i = 0; i < N_LAGS; i++) *to++ = SCALED(last - values[-LAGS[i]]);
  for (int32_t step = 1; step <= N_STEPS; step++) *to++ = SCALED(values[-step] - values[-step - 1]);
  *to++ = SCALED(nearest - last);
  const int64_t *residuals = context->residuals + N_RESIDUALS + row;
  for (int32_t i = 1; i <= N_RESIDUALS; i++) *to++ = SCALED(residuals[-i]);
#undef SCALED
  const uint64_t *sums = context->sums + CONTEXT_ROWS + row;
  for (int32_t block = FIRST_BLOCK; block < CONTEXT_ROWS; block += BLOCK_ROWS) {
    const int64_t sum = (int64_t)(sums[-block] - sums[-block - BLOCK_ROWS]);
    *to++ = compand(context, (last * BLOCK_ROWS - sum) >> (shift + 4 - DIFFERENCE_BITS));
  }
  *to++ = (int16_t)fraction;
  *to++ = (int16_t)(fraction < 0 ? -fraction : fraction);
  *to++ = fraction < 0 ? -64 : 64;
  *to++ = context->means[mean >> shift];
  for (int32_t number = 0; number < MOST_SHOWN; number++)
    for (int32_t after = -1; after < N_SHOWN_ROWS - 1; after++) {
      const int32_t place = row + after;
      const int there = number < context->n_shown && place < context->n_rows;
      *to++ = there ? context->shown[number * context->n_rows + place] : 0;
    }
  *to = 0;
}
