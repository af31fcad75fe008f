// What is known of a row before its value: predictions, their distributions, contexts and guesses; and what the value
// then teaches.
#pragma once

#include "mixed_state.h"

INLINE int64_t back(const Mixed *mixed, int64_t rows) {
  if (rows <= mixed->row) return mixed->values[mixed->row - rows];
  return mixed->row ? mixed->values[0] : 0;
}

INLINE int64_t reference(const Mixed *mixed, int64_t number, int64_t row) {
  const int64_t last = mixed->n_rows - 1;
  return mixed->references[number][row < 0 ? 0 : row > last ? last : row];
}

// The rank of the value nearest to a prediction.
static int64_t nearest_rank(const Mixed *mixed, double prediction) {
  if (!mixed->levels) return (int64_t)(prediction + 0.5);
  int64_t low = 0, high = mixed->top;
  while (low < high) {
    const int64_t middle = (low + high) >> 1;
    if (((double)mixed->levels[middle] + (double)mixed->levels[middle + 1]) * 0.5 < prediction)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

// -1 where no value is as great.
static int64_t rank_of(const Mixed *mixed, int64_t value) {
  if (value < 0 || value > mixed->range) return -1;
  if (!mixed->levels) return value;
  int64_t low = 0, high = mixed->top;
  while (low < high) {
    const int64_t middle = (low + high) >> 1;
    if (mixed->levels[middle] < value)
      low = middle + 1;
    else
      high = middle;
  }
  return mixed->levels[low] == value ? low : -1;
}

// 0 to 10: a difference in units of a scale, coarsely; 5 around 0.
INLINE uint32_t degree(double difference, double scale) {
  const double size = magnitude(difference);
  const uint32_t level = size <= 0.15 * scale  ? 0
                         : size <= 0.5 * scale ? 1
                         : size <= scale       ? 2
                         : size <= 2 * scale   ? 3
                         : size <= 4.5 * scale ? 4
                                               : 5;
  return difference < 0 ? 5 - level : 5 + level;
}

// How far a value before lies from the centre, from 0 to twice `most`.
INLINE uint32_t away(const Mixed *mixed, int64_t rows, double most) {
  return (uint32_t)(clamp((double)back(mixed, rows) - mixed->centre, -most, most) + most);
}

static void gather_terms(Mixed *mixed) {
  const double last = (double)back(mixed, 1), level = last - mixed->mean;
  double *term = mixed->slow_fit.terms;
  for (int64_t lag = 1; lag <= mixed->n_lags; lag++) *term++ = (double)(back(mixed, lag) - back(mixed, lag + 1));
  *term++ = level;
  if (mixed->period) {
    const int64_t then = back(mixed, mixed->period);
    *term++ = (double)then - last;
    *term++ = (double)(then - back(mixed, mixed->period + 1));
    *term++ = (double)(back(mixed, mixed->period - 1) - then);
  }
  *term++ = mixed->mean_step;
  double *quick = mixed->quick_fit.terms;
  *quick++ = (double)(back(mixed, 1) - back(mixed, 2));
  *quick++ = (double)(back(mixed, 2) - back(mixed, 3));
  *quick++ = level;
  for (int64_t i = 0; i < mixed->n_references; i++) {
    const int64_t now = reference(mixed, i, mixed->row), before = reference(mixed, i, mixed->row - 1);
    *term++ = (double)(now - before);
    if (mixed->n_reference_terms > 1) *term++ = (double)now - mixed->reference_means[i];
    if (mixed->n_reference_terms > 2) *term++ = (double)(reference(mixed, i, mixed->row + 1) - now);
    if (mixed->n_reference_terms > 3) *term++ = (double)(before - reference(mixed, i, mixed->row - 2));
    if (i >= 3) continue;
    *quick++ = (double)(now - before);
    *quick++ = (double)now - mixed->reference_means[i];
  }
  mixed->slow_fit.n_terms = (int32_t)(term - mixed->slow_fit.terms);
  mixed->quick_fit.n_terms = (int32_t)(quick - mixed->quick_fit.terms);
}

// Predictions, and the one that weighs them by how far off they have been.
static void predict_points(Mixed *mixed) {
  double *points = mixed->points;
  const double last = (double)back(mixed, 1), top = (double)mixed->range;
  points[LAST] = last;
  points[MEAN] = mixed->mean;
  points[STRAIGHT] = 2 * last - (double)back(mixed, 2);
  points[PERIODIC] = mixed->period ? (double)back(mixed, mixed->period) : mixed->mean;
  points[SLOW_FIT] = points[QUICK_FIT] = points[CASCADED] = last;
  if (!(mixed->form & SYMBOLS)) {
    gather_terms(mixed);
    points[SLOW_FIT] = points[CASCADED] = last + predict_least_squares(&mixed->slow_fit);
    points[QUICK_FIT] = last + predict_least_squares(&mixed->quick_fit);
    if (mixed->form & CASCADE) {
      double left = 0;
      for (int32_t i = 0; i < N_FILTERS; i++) left += (double)predict_lms(&mixed->filters[i]);
      points[CASCADED] += clamp(left, -16, 16) * mixed->point_errors[SLOW_FIT];
    }
  }
  double sum = 0, total = 0;
  for (int32_t i = 0; i < N_POINTS; i++) {
    points[i] = clamp(points[i], 0, top);
    if (mixed->form & SYMBOLS && i != LAST && i != MEAN) continue;
    const double error = mixed->point_errors[i] + 0.02, square = 1 / (error * error), weight = square * square * square * square;
    sum += weight * points[i];
    total += weight;
  }
  mixed->prediction = clamp(sum / total, 0, top);
}

// Contexts and guesses, by the row's surroundings.
static void find_contexts(Mixed *mixed) {
  const double *points = mixed->points, *residuals = mixed->residuals;
  const double scale = mixed->prediction_errors[1], prediction = mixed->prediction;
  const double width = below(mixed, mixed->centre_rank + 1) - below(mixed, mixed->centre_rank);
  const double part = clamp((prediction - mixed->centre) / width + 0.5, 0, 0.999);
  const int64_t steps[3] = {back(mixed, 1) - back(mixed, 2), back(mixed, 2) - back(mixed, 3), back(mixed, 3) - back(mixed, 4)};
  uint32_t r[3] = {0, 0, 0}, v[3];
  double reference_steps[2] = {0, 0};
  for (int64_t i = 0; i < 3; i++) {
    v[i] = hash_value(5 + (uint32_t)i, back(mixed, 1 + i));
    if (i >= mixed->n_references) continue;
    r[i] = hash_value(1 + (uint32_t)i, reference(mixed, i, mixed->row));
    if (i < 2) reference_steps[i] = (double)(reference(mixed, i, mixed->row) - reference(mixed, i, mixed->row - 1));
  }
  const uint32_t phase = mixed->period ? hash(99, (uint32_t)(mixed->row % mixed->period)) : 0;
  const uint32_t all = mixed->form & TREE ? hash_value(9, mixed->centre_rank) : (uint32_t)mixed->shift;
  const uint32_t recent = degree(residuals[0], scale + 0.5), before = degree(residuals[1], scale + 0.5);
  const uint32_t shape = away(mixed, 1, 40) * 128 + away(mixed, 2, 40);
  const uint32_t disagreement = (degree(points[LAST] - prediction, scale + 0.1) * 11 +
                                 degree(points[SLOW_FIT] - points[QUICK_FIT], scale + 0.1)) * 11 +
                                degree(points[PERIODIC] - prediction, scale + 0.1);
  const uint32_t beside = degree(reference_steps[0], mixed->reference_steps[0] + 0.1) * 11 +
                          degree(reference_steps[1], mixed->reference_steps[1] + 0.1);
  const uint32_t contexts[N_CONTEXTS] = {
      hash(all, shape),
      hash(all, (recent * 11 + before) * 11 + degree(residuals[2], scale + 0.5) / 4),
      hash(all, (uint32_t)(part * 8) * 128 + away(mixed, 1, 60)),
      hash(all, disagreement),
      hash(all, beside * 11 + recent),
      0,
      v[0],
      hash(v[0], v[1]),
      phase ? phase : hash(hash(v[0], v[1]), v[2]),
      r[0],
      hash(v[0], r[0]),
      hash(r[0], r[1]),
      hash(r[0], hash(r[1], r[2])),
  };
  for (int32_t i = 0; i < mixed->n_contexts; i++) mixed->contexts[i] = contexts[i] + (uint32_t)i * 0x3C6EF372u;
  const uint32_t places[N_GUESSES] = {
      hash(v[0], v[1]),
      hash(hash(v[0], v[1]), v[2]),
      hash_value(50, steps[0]),
      hash(hash_value(51, steps[0]), hash(hash_value(52, steps[1]), hash_value(53, steps[2]))),
      v[0],
      phase ? phase : hash(v[0], hash(r[0], r[1])),
      r[0],
      hash(v[0], r[0]),
      hash(r[0], r[1]),
      hash(r[0], hash(r[1], r[2])),
  };
  for (int32_t i = 0; i < mixed->n_guesses; i++) {
    const uint32_t place = hash(places[i], (uint32_t)i);
    Guess *guess = mixed->guess_tables[i] + (place & ((1u << (mixed->table_bits - 3)) - 1));
    if (guess->check != place >> 8) *guess = (Guess){0, place >> 8, 0};
    mixed->guesses[i] = guess;
    const int64_t of_step = IS_STEP(i) ? back(mixed, 1) : 0;
    mixed->guessed[i] = guess->confirmed ? IS_STEP(i) ? rank_of(mixed, of_step + guess->value) : guess->value : -1;
    mixed->alive[i] = (uint8_t)i;
  }
  mixed->n_alive = mixed->n_guesses;
  const uint32_t one = mixed->guesses[1]->confirmed, two = mixed->guesses[mixed->n_references ? 6 : 3]->confirmed;
  const int32_t run = mixed->run < 4 ? mixed->run : mixed->run < 16 ? 4 : mixed->run < 64 ? 5 : 6;
  mixed->set = (run * 4 + (one > 0) + (one > 3) + (one > 14)) * 4 + (two > 0) + (two > 3) + (two > 14);
}

static void look_ahead(Mixed *mixed) {
  predict_points(mixed);
  const double *points = mixed->points, prediction = mixed->prediction, scale = mixed->prediction_errors[1];
  mixed->centre_rank = nearest_rank(mixed, prediction);
  mixed->centre = (double)(mixed->levels ? mixed->levels[mixed->centre_rank] : mixed->centre_rank);
  double ranks = scale;
  if (mixed->levels) {
    const int64_t low = mixed->centre_rank > 8 ? mixed->centre_rank - 8 : 0;
    const int64_t high = mixed->centre_rank + 8 < mixed->top ? mixed->centre_rank + 8 : mixed->top;
    ranks = high > low ? scale * (double)(high - low) / (double)(mixed->levels[high] - mixed->levels[low]) : 1;
  }
  mixed->shift = 0;
  while (mixed->shift < 50 && (double)((int64_t)2 << mixed->shift) < ranks) mixed->shift++;
  const double places[N_EXPERTS] = {points[CASCADED], points[SLOW_FIT], points[QUICK_FIT], points[LAST],
                                    prediction,       prediction,       prediction,        points[PERIODIC]};
  for (int32_t i = 0; i < N_EXPERTS; i++) {
    const double error = i >= 4 && i < 7 ? mixed->prediction_errors[i - 4] : mixed->place_errors[i];
    mixed->places[i] = places[i];
    mixed->near[i / 4][i % 4] = (float)(places[i] - mixed->centre);
    mixed->sharpness[i / 4][i % 4] = (float)(2.24 / (error + 0.31));
  }
  find_contexts(mixed);
}

INLINE void follow(double *mean, double value, double share) { *mean += (value - *mean) * share; }

// The row's value came.
static void learn_value(Mixed *mixed, int64_t value, int64_t rank) {
  const double now = (double)value, last = (double)back(mixed, 1), count = (double)(mixed->row + 1);
  const int32_t is_first = mixed->row == 0;
  const double few = is_first ? 0 : 1 / count;  // the first value says nothing of errors to come
  const double middle = few > 1.0 / 4 || is_first ? few : 1.0 / 4, slow = few > 1.0 / 128 || is_first ? few : 1.0 / 128;
  if (!(mixed->form & SYMBOLS) && !is_first) {
    const double error = mixed->point_errors[SLOW_FIT] + 0.4;
    if (mixed->form & CASCADE) {
      float target = (float)clamp((now - mixed->points[SLOW_FIT]) / (mixed->point_errors[SLOW_FIT] + 0.02), -8, 8);
      for (int32_t i = 0; i < N_FILTERS; i++) {
        const float predicted = mixed->filters[i].prediction;
        update_lms(&mixed->filters[i], target);
        target -= predicted;
      }
    }
    update_least_squares(&mixed->slow_fit, now - last, 1 / (error * error));
    update_least_squares(&mixed->quick_fit, now - last, 1 / (error * error));
  }
  for (int32_t i = 0; i < N_POINTS; i++) follow(&mixed->point_errors[i], magnitude(now - mixed->points[i]), few > 1.0 / 1024 || is_first ? few : 1.0 / 1024);
  for (int32_t i = 0; i < N_EXPERTS; i++) follow(&mixed->place_errors[i], magnitude(now - mixed->places[i]), middle);
  const double error = magnitude(now - mixed->prediction);
  follow(&mixed->prediction_errors[0], error, few > 1.0 / 16 || is_first ? few : 1.0 / 16);
  follow(&mixed->prediction_errors[1], error, few > 1.0 / 2048 || is_first ? few : 1.0 / 2048);
  follow(&mixed->prediction_errors[2], error, slow);
  follow(&mixed->mean, now, is_first ? 1 : slow);
  if (!is_first) follow(&mixed->mean_step, magnitude(now - last), slow);
  for (int64_t i = 0; i < mixed->n_references; i++) {
    const int64_t beside = reference(mixed, i, mixed->row);
    follow(&mixed->reference_steps[i], magnitude((double)(beside - reference(mixed, i, mixed->row - 1))), slow);
    follow(&mixed->reference_means[i], (double)beside, is_first ? 1 : slow);
  }
  mixed->residuals[2] = mixed->residuals[1];
  mixed->residuals[1] = mixed->residuals[0];
  mixed->residuals[0] = now - mixed->centre;
  for (int32_t i = 0; i < mixed->n_guesses; i++) {
    Guess *guess = mixed->guesses[i];
    const int64_t found = IS_STEP(i) ? value - back(mixed, 1) : rank;
    if (guess->confirmed && guess->value == found)
      guess->confirmed += guess->confirmed < 255;
    else if (guess->confirmed > 3)
      guess->confirmed /= 4;
    else
      *guess = (Guess){found, guess->check, 1};
  }
  mixed->run = mixed->row && value == back(mixed, 1) ? mixed->run + 1 : 0;
  const float rate = 0.005f / (1.0f + (float)count * 0.004f);
  mixed->rate = rate > 0.00094f ? rate : 0.00094f;
}
