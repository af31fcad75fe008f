// Values from the residuals that a linear predictor left (vqaudio/series/prediction/predictor.py).
//
// Whoever wrote a file made sure that sums of products, and what references contribute, stay below 2**53. Values that
// could make a sum wrap around are damage.
#include "kernel.h"

static const int64_t LARGEST = (int64_t)1 << 53, LARGEST_SUM = (int64_t)1 << 61;

static int64_t largest_value(const int64_t *weights, int32_t n_lags) {
  u128 sum = 1;
  for (int32_t lag = 0; lag < n_lags; lag++) sum += weights[lag] < 0 ? -(u128)weights[lag] : (u128)weights[lag];
  const int64_t most = sum > (u128)LARGEST_SUM ? 1 : LARGEST_SUM / (int64_t)sum;
  return most < LARGEST ? most : LARGEST;
}

static inline __attribute__((always_inline)) int64_t restore(const int64_t *residuals, const int64_t *known,
                                                             const int64_t *weights, int32_t n_lags, int32_t shift,
                                                             int64_t *values, int64_t n_rows) {
  const int64_t most = largest_value(weights, n_lags);
  const int64_t half = shift ? (int64_t)1 << (shift - 1) : 0;
  for (int64_t row = 0; row < n_rows; row++) {
    uint64_t predicted = (uint64_t)known[row];
    for (int32_t lag = 0; lag < n_lags; lag++) predicted += (uint64_t)weights[lag] * (uint64_t)values[row - 1 - lag];
    const int64_t nearest = (int64_t)(predicted + (uint64_t)half) >> shift;
    const int64_t below = (int64_t)predicted < (int64_t)((uint64_t)nearest << shift) ? -1 : 0;
    const uint64_t residual = ((uint64_t)residuals[row] ^ (uint64_t)below) - (uint64_t)below;
    const int64_t value = (int64_t)((uint64_t)nearest + residual);
    if (value > most || value < -most) return BEYOND_64_BITS;
    values[row] = value;
  }
  return n_rows;
}

// `values` (rows), less the column's centre, stand behind as many zeros as there are lags.
int64_t EXPORT(restore_linear)(const int64_t *residuals, const int64_t *known, const int64_t *weights, int32_t n_lags,
                               int32_t shift, int64_t *values, int32_t n_rows) {
  values += n_lags;
  switch (n_lags) {
    case 1: return restore(residuals, known, weights, 1, shift, values, n_rows);
    case 2: return restore(residuals, known, weights, 2, shift, values, n_rows);
    case 4: return restore(residuals, known, weights, 4, shift, values, n_rows);
    case 8: return restore(residuals, known, weights, 8, shift, values, n_rows);
    case 16: return restore(residuals, known, weights, 16, shift, values, n_rows);
    case 32: return restore(residuals, known, weights, 32, shift, values, n_rows);
    default: return restore(residuals, known, weights, n_lags, shift, values, n_rows);
  }
}
