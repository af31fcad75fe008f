// Linear predictors: residuals of a column, and the column again from them (vqaudio/series/prediction/predictor.py).
//
// Whoever wrote a file made sure that sums of products, with what references contribute, stay below 2**53. Values that
// could make a sum wrap around are damage.
#include "cost.h"
#include "predictor.h"

enum { MOST_LAGS = 32 };

static const int64_t LARGEST = (int64_t)1 << 53, LARGEST_SUM = (int64_t)1 << 61;

static int64_t largest_value(const int64_t *weights, int32_t n_lags) {
  u128 sum = 1;
  for (int32_t lag = 0; lag < n_lags; lag++) sum += weights[lag] < 0 ? -(u128)weights[lag] : (u128)weights[lag];
  const int64_t most = sum > (u128)LARGEST_SUM ? 1 : LARGEST_SUM / (int64_t)sum;
  return most < LARGEST ? most : LARGEST;
}

INLINE int64_t restore(const int64_t *residuals, const int64_t *weights, int32_t n_lags, int32_t shift, int64_t *values,
                       int32_t n_rows) {
  const int64_t most = largest_value(weights, n_lags);
  const int64_t half = shift ? (int64_t)1 << (shift - 1) : 0;
  for (int32_t row = 0; row < n_rows; row++) {
    uint64_t predicted = (uint64_t)values[row];
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

// `values` have MOST_LAGS more than there are rows, which come last.
int64_t EXPORT(restore_linear)(const int64_t *residuals, const uint64_t *columns, const uint64_t *centres,
                               const uint64_t *reference_weights, int32_t n_references, const int64_t *weights,
                               int32_t n_lags, int32_t shift, int64_t centre, int64_t *values, int32_t n_rows) {
  for (int32_t lag = 0; lag < MOST_LAGS; lag++) *values++ = 0;
  set_known((uint64_t *)values, columns, centres, reference_weights, n_references, n_rows);
  int64_t done;
  switch (n_lags) {
    case 1: done = restore(residuals, weights, 1, shift, values, n_rows); break;
    case 2: done = restore(residuals, weights, 2, shift, values, n_rows); break;
    case 4: done = restore(residuals, weights, 4, shift, values, n_rows); break;
    case 8: done = restore(residuals, weights, 8, shift, values, n_rows); break;
    case 16: done = restore(residuals, weights, 16, shift, values, n_rows); break;
    case 32: done = restore(residuals, weights, 32, shift, values, n_rows); break;
    default: done = restore(residuals, weights, n_lags, shift, values, n_rows); break;
  }
  for (int32_t row = 0; row < n_rows; row++) values[row] = (int64_t)((uint64_t)values[row] + (uint64_t)centre);
  return done;
}

// The residuals of `values` (rows), and about what they cost (cost.h). Sums stay below 2**53, so that doubles are exact;
// `centred` have MOST_LAGS more than there are rows.
int64_t EXPORT(linear_residuals)(const int64_t *values, const uint64_t *columns, const uint64_t *centres,
                                 const uint64_t *reference_weights, int32_t n_references, const int64_t *weights,
                                 int32_t n_lags, int32_t shift, int64_t centre, double *centred, int64_t *residuals,
                                 int32_t n_rows) {
  for (int32_t lag = 0; lag < MOST_LAGS; lag++) *centred++ = 0;
  for (int32_t row = 0; row < n_rows; row++) centred[row] = (double)(int64_t)((uint64_t)values[row] - (uint64_t)centre);
  set_known((uint64_t *)residuals, columns, centres, reference_weights, n_references, n_rows);
  const int64_t half = shift ? (int64_t)1 << (shift - 1) : 0;
  int64_t cost = 0;
  for (int32_t first = 0; first < n_rows; first += BLOCK) {
    const int32_t count = n_rows - first < BLOCK ? n_rows - first : BLOCK;
    double sums[BLOCK];
    for (int32_t i = 0; i < count; i++) sums[i] = (double)residuals[first + i];
    for (int32_t lag = 0; lag < n_lags; lag++) {
      const double weight = (double)weights[lag];
      const double *before = centred + first - 1 - lag;
      for (int32_t i = 0; i < count; i++) sums[i] += weight * before[i];
    }
    double sizes = 0;
    for (int32_t i = 0; i < count; i++) {
      const int64_t predicted = (int64_t)sums[i], nearest = (predicted + half) >> shift;
      const int64_t off = (int64_t)centred[first + i] - nearest;
      residuals[first + i] = predicted < (int64_t)((uint64_t)nearest << shift) ? -off : off;
      sizes += bounded_size(off);
    }
    cost += block_cost(sizes, count);
  }
  return cost;
}
