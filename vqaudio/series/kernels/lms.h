// A normalised LMS filter (Widrow and Hoff, 1960; Nagumo and Noda, 1967) over values of about unit size.
#pragma once

#include "arithmetic.h"

enum { MOST_TAPS = 256 };

typedef struct {
  int32_t n_taps;
  float rate, energy, prediction;
  float weights[MOST_TAPS] __attribute__((aligned(16)));
  float past[MOST_TAPS] __attribute__((aligned(16)));  // newest first
} Lms;

static float predict_lms(Lms *filter) {
  f32x4 sums = splat(0);
  for (int32_t i = 0; i < filter->n_taps; i += 4) sums += *(f32x4 *)(filter->weights + i) * *(f32x4 *)(filter->past + i);
  filter->prediction = (sums[0] + sums[1]) + (sums[2] + sums[3]);
  return filter->prediction;
}

static void update_lms(Lms *filter, float target) {
  const f32x4 step = splat((target - filter->prediction) * filter->rate / (filter->energy + 1e-3f));
  for (int32_t i = 0; i < filter->n_taps; i += 4) *(f32x4 *)(filter->weights + i) += step * *(f32x4 *)(filter->past + i);
  const float oldest = filter->past[filter->n_taps - 1], newest = clamp4(splat(target), -8.0f, 8.0f)[0];
  __builtin_memmove(filter->past + 1, filter->past, (size_t)(filter->n_taps - 1) * sizeof(float));
  filter->past[0] = newest;
  filter->energy += newest * newest - oldest * oldest;
  if (!(filter->energy > 0)) filter->energy = 0;
}
