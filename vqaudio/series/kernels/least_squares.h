// Least squares over the rows so far, which are forgotten step by step: weighted sums of products, from which weights
// are found anew every few rows by Cholesky's method. After Ghido and Tabus, "Sparse modeling for lossless audio
// compression", 2013, and MPEG-4 ALS RLS-LMS (Huang et al., 2006), where this predicts before cascades of LMS filters.
#pragma once

#include "arithmetic.h"

enum { MOST_TERMS = 96 };

typedef struct {
  int32_t n_terms, every, wait;
  double memory, rows, ridge;
  double weights[MOST_TERMS] __attribute__((aligned(16))), terms[MOST_TERMS] __attribute__((aligned(16)));
  double target_products[MOST_TERMS], solved[MOST_TERMS] __attribute__((aligned(16)));
  double products[MOST_TERMS][MOST_TERMS] __attribute__((aligned(16)));
  double lower[MOST_TERMS][MOST_TERMS] __attribute__((aligned(16)));
} LeastSquares;

INLINE f64x2 *pair(double *at) { return (f64x2 *)at; }

// The sum of products of the first `count` numbers: those of even and odd places, then both together.
INLINE double dot(double *one, double *other, int32_t count) {
  f64x2 sums = {0, 0};
  int32_t at = 0;
  for (; at + 2 <= count; at += 2) sums += *pair(one + at) * *pair(other + at);
  double sum = sums[0] + sums[1];
  if (at < count) sum += one[at] * other[at];
  return sum;
}

INLINE double predict_least_squares(LeastSquares *fit) { return dot(fit->weights, fit->terms, fit->n_terms); }

static void solve(LeastSquares *fit) {
  const int32_t n = fit->n_terms;
  for (int32_t i = 0; i < n; i++) {
    double *row = fit->lower[i];
    for (int32_t j = 0; j < i; j++) row[j] = (fit->products[i][j] - dot(row, fit->lower[j], j)) * fit->lower[j][j];
    const double energy = fit->products[i][i];
    const double left = energy + energy * (fit->ridge / fit->rows + 1e-7) + 1e-9 - dot(row, row, i);
    row[i] = left > 1e-12 ? 1.0 / __builtin_sqrt(left) : 0.0;  // reciprocals on the diagonal
  }
  for (int32_t i = 0; i < n; i++)
    fit->solved[i] = (fit->target_products[i] - dot(fit->lower[i], fit->solved, i)) * fit->lower[i][i];
  for (int32_t i = n - 1; i >= 0; i--) {
    double sum = fit->solved[i];
    for (int32_t k = i + 1; k < n; k++) sum -= fit->lower[k][i] * fit->weights[k];
    fit->weights[i] = sum * fit->lower[i][i];
  }
}

// The target that belongs to the terms came; it counts by `importance`.
static void update_least_squares(LeastSquares *fit, double target, double importance) {
  const f64x2 memory = {fit->memory, fit->memory};
  for (int32_t i = 0; i < fit->n_terms; i++) {
    const double term = fit->terms[i] * importance;
    const f64x2 both = {term, term};
    for (int32_t j = 0; j <= i; j += 2) {
      f64x2 *products = pair(fit->products[i] + j);
      *products = *products * memory + both * *pair(fit->terms + j);
    }
    fit->target_products[i] = fit->target_products[i] * fit->memory + term * target;
  }
  fit->rows = fit->rows * fit->memory + 1.0;
  if (--fit->wait <= 0) {
    solve(fit);
    fit->wait = fit->rows < 64 && fit->every > 2 ? 2 : fit->every;
  }
}
