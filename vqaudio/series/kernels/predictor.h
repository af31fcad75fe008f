// Linear predictors (vqaudio/series/prediction/predictor.py).
#pragma once

#include "kernel.h"

enum { REFERENCE_ROWS = 3 };

typedef struct {
  const int64_t *weights;
  int32_t n_lags, shift;
} Predictor;

INLINE int64_t half_of(const Predictor *predictor) { return (int64_t)1 << predictor->shift >> 1; }

// What reference columns (references, rows), less their centres, contribute at the row before, at the same and at the
// next.
static void set_known(uint64_t *known, const uint64_t *columns, const uint64_t *centres, const uint64_t *weights,
                      int32_t n_references, int32_t n_rows) {
  for (int32_t row = 0; row < n_rows; row++) known[row] = 0;
  for (int32_t number = 0; number < n_references; number++, columns += n_rows, weights += REFERENCE_ROWS) {
    const uint64_t centre = centres[number], before = weights[0], here = weights[1], after = weights[2];
    const uint64_t offset = (before + here + after) * centre;
    for (int32_t row = 1; row < n_rows - 1; row++)
      known[row] += before * columns[row - 1] + here * columns[row] + after * columns[row + 1] - offset;
    if (n_rows == 1) known[0] += here * (columns[0] - centre);
    if (n_rows < 2) continue;
    const int32_t last = n_rows - 1;
    known[0] += here * (columns[0] - centre) + after * (columns[1] - centre);
    known[last] += before * (columns[last - 1] - centre) + here * (columns[last] - centre);
  }
}
