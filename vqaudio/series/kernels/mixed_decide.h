// One binary decision of the mixed coder: is the rank `threshold` or more? Coded with a likelihood that is mixed from
// all that predict it, which then learn from the answer.
#pragma once

#include "mixed_state.h"

enum { MOST_SEEN = 38 };

INLINE void learn_bit(const Mixed *mixed, Counter *counter, int32_t bit) {
  const int32_t target = bit ? 65535 : 0;
  counter->likelihood =
      (uint16_t)(counter->likelihood + (((target - counter->likelihood) * mixed->shares[counter->seen]) >> 15));
  if (counter->seen < MOST_SEEN) counter->seen++;
}

// The boundary between the values of two neighbouring ranks.
INLINE double below(const Mixed *mixed, int64_t rank) {
  if (!mixed->levels) return (double)rank - 0.5;
  if (rank <= 0) return -0.5;
  if (rank > mixed->top) return (double)mixed->range + 0.5;
  return ((double)mixed->levels[rank - 1] + (double)mixed->levels[rank]) * 0.5;
}

INLINE f32x4 odds_below(const Mixed *mixed, double boundary, int32_t half, float most) {
  const f32x4 at = splat((float)(boundary - mixed->centre));
  return exp4(clamp4((at - mixed->near[half]) * mixed->sharpness[half], -most, most));
}

INLINE void find_line(Mixed *mixed, int32_t context, uint32_t key) {
  const uint32_t place = hash(mixed->contexts[context], key), n_lines = 1u << (mixed->table_bits - 4);
  mixed->lines[context] = mixed->tables[context] + (place & (n_lines - 1)) * LINE;
  mixed->checks[context] = (uint8_t)(place >> 24);
}

// Where the counters of a decision lie: in each context's line by `key`, at `index`.
static int32_t decide(Mixed *mixed, int64_t threshold, int64_t rank, uint32_t key, int32_t index, int32_t kind) {
  if (threshold <= mixed->low) return 1;
  if (threshold >= mixed->high) return 0;
  f32x4 inputs[N_INPUTS / 4], odds[2];
  float *input = (float *)inputs;

  // Logistic distributions: the logit of lying in [threshold, high) rather than in [low, threshold).
  const double boundary = below(mixed, threshold);
  for (int32_t half = 0; half < 2; half++) {
    odds[half] = odds_below(mixed, boundary, half, 30.0f);
    const f32x4 upper = 1.0f + mixed->low_odds[half], least = 1e-4f * upper * odds[half];
    const f32x4 above = (mixed->high_odds[half] - odds[half]) * upper + least;
    const f32x4 under = (odds[half] - mixed->low_odds[half]) * (1.0f + mixed->high_odds[half]) + least;
    inputs[half] = clamp4(log4(above / under), -9.0f, 9.0f);
  }
  int32_t n_inputs = N_EXPERTS;

  // Counters.
  uint32_t value_key = key;
  int32_t value_index = index;
  if (!(mixed->form & TREE)) {
    value_key = (uint32_t)(threshold >> 2);
    value_index = (int32_t)(threshold & 3) << 2 | (kind < 2 ? kind : kind < 30 ? 2 : 3);
  }
  if (key != mixed->key) {
    mixed->key = key;
    for (int32_t i = 0; i < N_RELATIVE; i++) find_line(mixed, i, key);
  }
  if (value_key != mixed->value_key) {
    mixed->value_key = value_key;
    for (int32_t i = N_RELATIVE; i < mixed->n_contexts; i++) find_line(mixed, i, value_key);
  }
  Counter *counters[N_CONTEXTS];
  for (int32_t i = 0; i < mixed->n_contexts; i++) {
    Counter *counter = mixed->lines[i] + (i < N_RELATIVE ? index : value_index);
    const int32_t known = counter->check == mixed->checks[i];  // without branches, since they would be mispredicted
    *counter = (Counter){known ? counter->likelihood : 32768, known ? counter->seen : 0, mixed->checks[i]};
    counters[i] = counter;
    input[n_inputs++] = mixed->stretch[counter->likelihood >> 4];
  }

  // Guesses that are not ruled out yet.
  Counter *guess_counters[N_GUESSES];
  const int32_t first_guess = n_inputs;
  int32_t agreement = 0, n_alive = 0;
  for (int32_t i = 0; i < mixed->n_guesses; i++) input[n_inputs++] = 0;
  for (int32_t at = 0; at < mixed->n_alive; at++) {
    const int32_t i = mixed->alive[at];
    const int64_t guessed = mixed->guessed[i];
    if (guessed < mixed->low || guessed >= mixed->high) continue;
    const uint32_t confirmed = mixed->guesses[i]->confirmed;
    guess_counters[n_alive] = &mixed->guess_counters[i][confirmed < MOST_SURE ? confirmed : MOST_SURE][kind];
    const float logit = mixed->stretch[guess_counters[n_alive]->likelihood >> 4];
    input[first_guess + i] = guessed >= threshold ? logit : -logit;
    if (i < 4) agreement += guessed >= threshold ? 1 : 5;
    mixed->alive[n_alive++] = (uint8_t)i;
  }
  mixed->n_alive = n_alive;
  input[n_inputs++] = 0.3f;
  while (n_inputs & 3) input[n_inputs++] = 0;

  // Mixing: one logit from weights that three circumstances choose.
  f32x4 *by_kind = (f32x4 *)mixed->weights[0][kind], *by_set = (f32x4 *)mixed->weights[1][mixed->set];
  f32x4 *by_agreement = (f32x4 *)mixed->weights[2][agreement], sums = splat(0);
  const int32_t n_vectors = n_inputs / 4;
  for (int32_t i = 0; i < n_vectors; i++) sums += (by_kind[i] + by_set[i] + by_agreement[i]) * inputs[i];
  const float logit = clamp4(splat((sums[0] + sums[1]) + (sums[2] + sums[3])), -11.5f, 11.5f)[0];
  const float likelihood = mixed->squash[(int32_t)((logit + 12.0f) * (SQUASH_SIZE / 24.0f))];

  // Adaptive probability maps: what came where it was as likely.
  const float step = (logit + 12.0f) * (32.0f / 24.0f);
  const int32_t whole = (int32_t)step;
  const float part = step - (float)whole;
  uint16_t *by_place = mixed->refined[0][hash(key, (uint32_t)index) % APM_CONTEXTS] + whole;
  uint16_t *by_value = mixed->refined[1][hash(value_key, (uint32_t)value_index + 77) % APM_CONTEXTS] + whole;
  const float place_share = (float)by_place[0] * (1 - part) + (float)by_place[1] * part;
  const float value_share = (float)by_value[0] * (1 - part) + (float)by_value[1] * part;
  const float refined = 0.36f * 65536.0f * likelihood + 0.32f * place_share + 0.32f * value_share;
  const int32_t scaled = (int32_t)refined;
  const int32_t bit = code_bit(&mixed->coder, rank >= threshold, (uint32_t)(scaled < 1 ? 1 : scaled > 65535 ? 65535 : scaled));

  // Learning.
  const f32x4 error = splat(((float)bit - likelihood) * mixed->rate);
  for (int32_t i = 0; i < n_vectors; i++) {
    const f32x4 change = error * inputs[i];
    by_kind[i] += change;
    by_set[i] += change;
    by_agreement[i] += change;
  }
  for (int32_t i = 0; i < mixed->n_contexts; i++) learn_bit(mixed, counters[i], bit);
  for (int32_t at = 0; at < n_alive; at++)
    learn_bit(mixed, guess_counters[at], (mixed->guessed[mixed->alive[at]] >= threshold) == bit);
  const int32_t nearer = part > 0.5f, target = bit ? 65535 : 0;
  by_place[nearer] = (uint16_t)(by_place[nearer] + ((target - by_place[nearer]) >> 6));
  by_value[nearer] = (uint16_t)(by_value[nearer] + ((target - by_value[nearer]) >> 6));
  if (bit) {
    mixed->low = threshold;
    for (int32_t half = 0; half < 2; half++) mixed->low_odds[half] = odds[half];
  } else {
    mixed->high = threshold;
    for (int32_t half = 0; half < 2; half++) mixed->high_odds[half] = odds[half];
  }
  return bit;
}
