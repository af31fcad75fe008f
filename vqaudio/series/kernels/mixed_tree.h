// A value as binary decisions on its rank: from the prediction outwards, or bit by bit.
#pragma once

#include "mixed_decide.h"

enum { MOST_STEPS = 60, SHARED = 7, UP_KIND = 2, DOWN_KIND = 16, HALVE_KIND = 30, MOST_STEP_KINDS = 13 };

// Halves of halves, highest bit first; decisions of four bits lie together.
static int64_t code_bits(Mixed *mixed, int64_t rank) {
  int32_t n_bits = 0;
  while (mixed->top >> n_bits) n_bits++;
  uint32_t node = 1;
  for (int32_t depth = 0; depth < n_bits; depth++) {
    const int64_t half = (int64_t)1 << (n_bits - 1 - depth), threshold = (mixed->low & ~(2 * half - 1)) + half;
    const int32_t within = depth & 3;
    const uint32_t key = (node >> within) * 64 + (uint32_t)depth;
    const int32_t index = (int32_t)(1u << within | (node & ((1u << within) - 1)));
    node = node * 2 + (uint32_t)decide(mixed, threshold, rank, key, index, depth);
  }
  return mixed->low;
}

// Steps up or down from the centre, the third and later ones twice as wide each, until the rank is passed.
static int32_t code_steps(Mixed *mixed, int64_t rank, int32_t up) {
  int64_t step = (int64_t)1 << mixed->shift, at = mixed->centre_rank + (up ? 1 : 0);
  for (int32_t taken = 0; taken < MOST_STEPS; taken++) {
    const int64_t threshold = up ? at + step : at - step;
    if (up ? threshold >= mixed->high : threshold <= mixed->low) return taken;
    const uint32_t key = taken < SHARED ? 0 : (uint32_t)((up ? 4 : 64) + taken);
    const int32_t index = taken < SHARED ? (up ? 2 : 2 + SHARED) + taken : 0;
    const int32_t kind = (up ? UP_KIND : DOWN_KIND) + (taken < MOST_STEP_KINDS - 1 ? taken : MOST_STEP_KINDS - 1);
    if (decide(mixed, threshold, rank, key, index, kind) != up) return taken;
    at = threshold;
    if (taken) step *= 2;
  }
  return MOST_STEPS;
}

static int64_t code_from_centre(Mixed *mixed, int64_t rank) {
  const int64_t centre = mixed->centre_rank;
  const int32_t up = decide(mixed, centre + 1, rank, 0, 0, 0);
  if (!up && decide(mixed, centre, rank, 0, 1, 1)) return centre;
  const int32_t steps = code_steps(mixed, rank, up);
  uint32_t node = 1, key = (uint32_t)(up ? 104 + steps : 96 - steps) << 8;
  for (int32_t depth = 1; mixed->high - mixed->low > 1; depth++) {
    int64_t half = 1;
    int32_t exponent = 0;
    for (; half * 2 < mixed->high - mixed->low; half *= 2) exponent++;
    const int64_t threshold = up ? mixed->low + half : mixed->high - half;
    const int32_t kind = HALVE_KIND + (exponent < 33 ? exponent : 33);
    node = node * 2 + (uint32_t)decide(mixed, threshold, rank, key, (int32_t)node, kind);
    if (depth % 4 == 0) {
      key = hash(key, node);
      node = 1;
    }
  }
  return mixed->low;
}

// The value's rank; what to encode, if not decoding.
static int64_t code_rank(Mixed *mixed, int64_t rank) {
  mixed->low = 0;
  mixed->high = mixed->top + 1;
  mixed->key = mixed->value_key = 0xffffffffu;
  for (int32_t half = 0; half < 2; half++) {
    mixed->low_odds[half] = odds_below(mixed, -0.5, half, 31.0f);
    mixed->high_odds[half] = odds_below(mixed, (double)mixed->range + 0.5, half, 31.0f);
  }
  return mixed->form & TREE ? code_bits(mixed, rank) : code_from_centre(mixed, rank);
}
