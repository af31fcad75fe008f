// What a writer predicts a column by (vqaudio/series/prediction/fitting.py). Doubles hold integers here, or come from
// additions, products, quotients and roots in a fixed order: WebAssembly rounds each alike on every machine.
#include "cost.h"

enum { ORDERS = 4, LAG_CHOICES = 6, SHIFT_CHOICES = 7, TRIAL_SHIFT = 16, LAGS = 32, WIDTH = 3, MOST_TERMS = 50 };

static const int32_t N_LAGS[LAG_CHOICES] = {1, 2, 4, 8, 16, 32};
static const int32_t SHIFTS[SHIFT_CHOICES] = {6, 8, 10, 12, 14, 16, 20};
static const double RIDGE = 1e-6, EXACT = 0x1p53;
static const int64_t BYTE_COST = 8192;

// Costs of the values themselves, of their differences, and so on.
int64_t EXPORT(difference_costs)(const int64_t *values, int32_t n_rows, int64_t *costs) {
  uint64_t before[ORDERS] = {0};
  for (int32_t order = 0; order < ORDERS; order++) costs[order] = 0;
  for (int32_t first = 0; first < n_rows; first += BLOCK) {
    const int32_t count = n_rows - first < BLOCK ? n_rows - first : BLOCK;
    double sizes[ORDERS] = {0};
    for (int32_t i = 0; i < count; i++) {
      uint64_t left = (uint64_t)values[first + i];
      for (int32_t order = 0; order < ORDERS; order++) {
        sizes[order] += bounded_size((int64_t)left);
        const uint64_t next = left - before[order];
        before[order] = left;
        left = next;
      }
    }
    for (int32_t order = 0; order < ORDERS; order++) costs[order] += block_cost(sizes[order], count);
  }
  return 0;
}

// Least squares for the last of `n_terms + 1` from the chosen ones, by Cholesky's method.
static void solve(const double *products, int32_t n_terms, const int32_t *chosen, int32_t n_chosen, double *weights) {
  static double lower[MOST_TERMS][MOST_TERMS], forward[MOST_TERMS];
  const int32_t stride = n_terms + 1;
  const double energy = products[n_terms * stride + n_terms];
  for (int32_t i = 0; i < n_chosen; i++) {
    const double *row = products + chosen[i] * stride;
    double squares = 0;
    for (int32_t j = 0; j < i; j++) {
      double sum = 0;
      for (int32_t k = 0; k < j; k++) sum += lower[i][k] * lower[j][k];
      lower[i][j] = (row[chosen[j]] - sum) / lower[j][j];
    }
    const double ridge = RIDGE * (energy + row[chosen[i]]) + 1.0;  // far more than rounding can take away
    for (int32_t j = 0; j < i; j++) squares += lower[i][j] * lower[i][j];
    lower[i][i] = __builtin_sqrt(row[chosen[i]] + ridge - squares);
  }
  for (int32_t i = 0; i < n_chosen; i++) {
    double sum = 0;
    for (int32_t k = 0; k < i; k++) sum += forward[k] * lower[i][k];
    forward[i] = (products[chosen[i] * stride + n_terms] - sum) / lower[i][i];
  }
  for (int32_t i = n_chosen - 1; i >= 0; i--) {
    double behind = 0;
    for (int32_t j = i + 1; j < n_chosen; j++) behind += lower[j][i] * weights[j];
    weights[i] = (forward[i] - behind) / lower[i][i];
  }
}

// Bytes of a weight as a varint of its zigzag.
static int32_t n_bytes(double weight) {
  const double size = weight >= 0 ? 2 * weight : -2 * weight - 1;
  int32_t bytes = 1;
  for (double most = 128; size >= most; most *= 128) bytes++;
  return bytes;
}

typedef struct {
  const double *terms;    // (n_terms + 1, rows), the last is what is predicted
  const double *products;  // of all pairs of them
  int32_t n_terms, n_rows;
  double scale;    // rows of the column for each of these
  double largest;  // what no term exceeds
} Problem;

// The cost of the predictor with so many lags and all or none of the references; below 0 where doubles might not be
// exact. `bytes` are those of all but the weights.
static int64_t candidate(const Problem *problem, const double *solved, const int32_t *chosen, int32_t n_chosen,
                         int32_t shift, int64_t bytes, double *weights) {
  const double unit = (double)(1 << shift), half = unit / 2, inverse = 1 / unit;
  double sum = 2 * unit;
  for (int32_t k = 0; k < n_chosen; k++) {
    weights[k] = __builtin_rint(solved[k] * unit);
    sum += __builtin_fabs(weights[k]);
    bytes += n_bytes(weights[k]);
  }
  if (!(problem->largest * sum < EXACT)) return -1;
  const int32_t n_rows = problem->n_rows;
  int64_t cost = 0;
  for (int32_t first = 0; first < n_rows; first += BLOCK) {
    const int32_t count = n_rows - first < BLOCK ? n_rows - first : BLOCK;
    double sums[BLOCK] = {0};
    for (int32_t k = 0; k < n_chosen; k++) {
      const double *term = problem->terms + (int64_t)chosen[k] * n_rows + first, weight = weights[k];
      if (count == BLOCK)
        for (int32_t i = 0; i < BLOCK; i++) sums[i] += weight * term[i];
      else
        for (int32_t i = 0; i < count; i++) sums[i] += weight * term[i];
    }
    const double *values = problem->terms + (int64_t)problem->n_terms * n_rows + first;
    double sizes = 0;
    for (int32_t i = 0; i < count; i++) {
      const double size = __builtin_fabs(values[i] - __builtin_floor((sums[i] + half) * inverse));
      sizes += size < LARGEST_SIZE ? size : LARGEST_SIZE;
    }
    cost += block_cost(sizes, count);
  }
  return BYTE_COST * bytes + (int64_t)((double)cost * problem->scale);
}

static int32_t choose(int32_t *chosen, int32_t n_lags, int32_t n_references) {
  for (int32_t lag = 0; lag < n_lags; lag++) chosen[lag] = lag;
  for (int32_t k = 0; k < n_references * WIDTH; k++) chosen[n_lags + k] = LAGS + k;
  return n_lags + n_references * WIDTH;
}

// The linear predictor of the least cost, as `found`: the number of lags, of references, the shift, and the weights.
// Returns how many numbers that are, or 0 where there is none.
int64_t EXPORT(fit_linear)(const double *terms, const double *products, int32_t n_rows, int32_t n_references,
                           int32_t most_lags, double scale, double largest, int32_t bytes, int32_t reference_bytes,
                           int64_t *found) {
  const Problem problem = {terms, products, LAGS + n_references * WIDTH, n_rows, scale, largest};
  int32_t chosen[MOST_TERMS], best_lags = 0, best_references = 0;
  double solved[MOST_TERMS], weights[MOST_TERMS];
  int64_t least = -1;
  for (int32_t at = 0; at < LAG_CHOICES && N_LAGS[at] <= most_lags; at++)
    for (int32_t references = 0; references <= n_references; references += n_references ? n_references : 1) {
      const int32_t n_chosen = choose(chosen, N_LAGS[at], references);
      solve(products, problem.n_terms, chosen, n_chosen, solved);
      const int32_t fixed = bytes + (references ? reference_bytes : 0);
      const int64_t cost = candidate(&problem, solved, chosen, n_chosen, TRIAL_SHIFT, fixed, weights);
      if (cost >= 0 && (least < 0 || cost < least)) {
        least = cost;
        best_lags = N_LAGS[at];
        best_references = references;
      }
    }
  if (least < 0) return 0;
  const int32_t n_chosen = choose(chosen, best_lags, best_references);
  solve(products, problem.n_terms, chosen, n_chosen, solved);
  least = -1;
  for (int32_t at = 0; at < SHIFT_CHOICES; at++) {
    const int32_t fixed = bytes + (best_references ? reference_bytes : 0);
    const int64_t cost = candidate(&problem, solved, chosen, n_chosen, SHIFTS[at], fixed, weights);
    if (cost < 0 || (least >= 0 && cost >= least)) continue;
    least = cost;
    found[0] = best_lags;
    found[1] = best_references;
    found[2] = SHIFTS[at];
    for (int32_t k = 0; k < n_chosen; k++) found[3 + k] = (int64_t)weights[k];
  }
  return least < 0 ? 0 : 3 + n_chosen;
}
