// A column's integers, each as binary decisions whose likelihoods are mixed from many predictions of them
// (vqaudio/series/coding/mixed.py says how, docs/format.md to the byte).
//
// Floats are of IEEE 754, in a fixed order and without library functions, so that each machine has the same bits.
#include "mixed_state.h"

#include "mixed_decide.h"

#include "mixed_context.h"
#include "mixed_tree.h"

static Counter certain(double likelihood) { return (Counter){(uint16_t)(65535.0 * likelihood), 2, 0}; }

static void start(Mixed *mixed, uint8_t *room) {
  static const int32_t taps[N_FILTERS] = {256, 32, 16};
  static const float rates[N_FILTERS] = {0.0032f, 0.008f, 0.0128f};
  for (int32_t i = 0; i < N_CONTEXTS; i++, room += sizeof(Counter) << mixed->table_bits)
    mixed->tables[i] = (Counter *)room;
  for (int32_t i = 0; i < N_GUESSES; i++, room += sizeof(Guess) << (mixed->table_bits - 3))
    mixed->guess_tables[i] = (Guess *)room;
  mixed->n_contexts = mixed->n_references > 1 ? 13 : mixed->n_references ? 11 : 9;
  mixed->n_guesses = mixed->n_references > 1 ? 10 : mixed->n_references ? 8 : mixed->period ? 6 : 5;
  for (int32_t i = 0; i < N_FILTERS; i++) mixed->filters[i].n_taps = taps[i], mixed->filters[i].rate = rates[i];
  for (int32_t i = 0; i < STRETCH_SIZE; i++) {
    const float likelihood = ((float)i + 0.5f) / STRETCH_SIZE;
    mixed->stretch[i] = log4(splat(likelihood / (1 - likelihood)))[0];
  }
  for (int32_t i = 0; i < SQUASH_SIZE; i++)
    mixed->squash[i] = logistic(((float)i + 0.5f) * (24.0f / SQUASH_SIZE) - 12.0f);
  for (int32_t i = 0; i < 256; i++) mixed->shares[i] = (int32_t)(32768.0 / (i + 1.6));
  for (int32_t i = 0; i < N_GUESSES; i++)
    for (int32_t sure = 0; sure <= MOST_SURE; sure++)
      for (int32_t kind = 0; kind < N_KINDS; kind++)
        mixed->guess_counters[i][sure][kind] = certain((sure + 0.6) / (sure + 1.2));
  for (int32_t i = 0; i < N_MIXERS; i++)
    for (int32_t set = 0; set < N_WEIGHT_SETS; set++)
      for (int32_t input = 0; input < N_INPUTS; input++) mixed->weights[i][set][input] = input < N_EXPERTS ? 0.0156f : 0.025f;
  for (int32_t i = 0; i < 2; i++)
    for (int32_t context = 0; context < APM_CONTEXTS; context++)
      for (int32_t step = 0; step < APM_STEPS; step++)
        mixed->refined[i][context][step] = (uint16_t)(65535.0f * logistic((float)(step - APM_STEPS / 2) * 0.75f));
  mixed->slow_fit.memory = mixed->form & FORGETFUL ? 0.998 : 0.99996, mixed->slow_fit.every = 24, mixed->slow_fit.ridge = 2.5e-7, mixed->slow_fit.rows = 1;
  mixed->quick_fit.memory = 0.9875, mixed->quick_fit.every = 4, mixed->quick_fit.ridge = 2.5, mixed->quick_fit.rows = 1;
  const double error = (double)mixed->range / 16 + 0.1;
  for (int32_t i = 0; i < N_POINTS; i++) mixed->point_errors[i] = error;
  for (int32_t i = 0; i < N_EXPERTS; i++) mixed->place_errors[i] = error;
  for (int32_t i = 0; i < 3; i++) mixed->prediction_errors[i] = error;
  mixed->rate = 0.005f;
}

static int64_t room_for(int32_t table_bits) {
  return (int64_t)sizeof(Mixed) + (((int64_t)sizeof(Counter) * N_CONTEXTS) << table_bits) +
         (((int64_t)sizeof(Guess) * N_GUESSES) << (table_bits - 3));
}

// Bytes that `code_mixed` needs to work in.
int64_t EXPORT(mixed_room)(int32_t table_bits) { return room_for(table_bits); }

// `values` (rows) from 0 to `range` to `data`, or from it. What it returns: bytes written, 0 where they do not fit
// into `size`; bytes read, when `decoding`.
//
// `references`: columns (n_references, rows). `levels`: the values that occur, `n_levels` of them, none if 0.
// `room`: as many bytes as `mixed_room` says.
int64_t EXPORT(code_mixed)(int32_t decoding, uint8_t *data, int32_t size, int64_t *values, int32_t n_rows,
                           const int64_t *references, int32_t n_references, const int64_t *levels, int32_t n_levels,
                           int64_t range, int32_t form, int32_t n_lags, int32_t n_reference_terms, int32_t period,
                           int32_t table_bits, uint8_t *room) {
  Mixed *mixed = (Mixed *)room;
  __builtin_memset(room, 0, (size_t)room_for(table_bits));
  open_coder(&mixed->coder, data, size, decoding);
  mixed->n_rows = n_rows, mixed->n_references = n_references, mixed->form = form, mixed->n_lags = n_lags;
  mixed->n_reference_terms = n_reference_terms, mixed->period = period, mixed->table_bits = table_bits;
  for (int32_t i = 0; i < n_references; i++) mixed->references[i] = references + (int64_t)i * n_rows;
  mixed->values = values, mixed->range = range;
  mixed->levels = n_levels ? levels : NULL;
  mixed->top = n_levels ? n_levels - 1 : range;
  start(mixed, room + sizeof(Mixed));
  for (mixed->row = 0; mixed->row < n_rows; mixed->row++) {
    look_ahead(mixed);
    const int64_t rank = code_rank(mixed, decoding ? 0 : rank_of(mixed, values[mixed->row]));
    const int64_t value = mixed->levels ? mixed->levels[rank] : rank;
    learn_value(mixed, value, rank);
    values[mixed->row] = value;
    if (!decoding && mixed->coder.at > size) return 0;
  }
  if (!decoding) close_coder(&mixed->coder);
  return decoding || mixed->coder.at <= size ? mixed->coder.at : 0;
}
