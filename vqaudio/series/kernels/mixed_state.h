// What the mixed coder (mixed.c) holds of a column while it goes over its rows.
#pragma once

#include "bit_coder.h"
#include "least_squares.h"
#include "lms.h"

enum {
  MOST_REFERENCES = 12,
  N_EXPERTS = 8,      // distributions of the next value
  N_RELATIVE = 5,     // contexts whose counters count from the prediction; those of the others stand by the value
  N_CONTEXTS = 13,
  N_GUESSES = 10,     // values that came in a like place before
  N_INPUTS = 32,
  N_KINDS = 64,       // of decisions
  N_MIXERS = 3,
  N_WEIGHT_SETS = 128,
  N_POINTS = 7,       // predictions
  N_FILTERS = 3,
  LINE = 16,          // counters that lie together
  MOST_SURE = 15,
  STRETCH_SIZE = 4096,
  SQUASH_SIZE = 4096,
  APM_CONTEXTS = 1024,
  APM_STEPS = 33,
};

// Forms of a column, bits of its first parameter.
enum { TREE = 1, SYMBOLS = 2, CASCADE = 4, FORGETFUL = 16 };

// Guesses of a step from the last value; the others are of values.
#define IS_STEP(guess) ((guess) == 2 || (guess) == 3)

// Predictions, by place in `points`.
enum { SLOW_FIT, QUICK_FIT, LAST, STRAIGHT, PERIODIC, CASCADED, MEAN };

typedef struct {
  uint16_t likelihood;  // of a 1
  uint8_t seen, check;
} Counter;

typedef struct {
  int64_t value;
  uint32_t check, confirmed;
} Guess;

typedef struct {
  BitCoder coder;
  int64_t row, n_rows, n_references, form, n_lags, n_reference_terms, period, table_bits;
  const int64_t *references[MOST_REFERENCES];
  int64_t *values;     // from 0 to `range`
  int64_t range;
  const int64_t *levels;  // the values that occur, in order, or null where any may
  int64_t top;         // ranks of values are from 0 to `top`

  LeastSquares slow_fit, quick_fit;
  Lms filters[N_FILTERS];
  double points[N_POINTS], point_errors[N_POINTS];
  double places[N_EXPERTS], place_errors[N_EXPERTS], prediction, prediction_errors[3];
  double mean, mean_step, reference_means[MOST_REFERENCES], reference_steps[MOST_REFERENCES];
  double residuals[3];

  int64_t centre_rank, low, high;  // the rank lies in [low, high)
  double centre;                   // the value nearest to the prediction
  int32_t shift;
  f32x4 near[2], sharpness[2], low_odds[2], high_odds[2];

  int32_t n_contexts, n_guesses, n_alive, run;
  uint32_t contexts[N_CONTEXTS], key, value_key;
  uint8_t checks[N_CONTEXTS], alive[N_GUESSES];
  Counter *tables[N_CONTEXTS], *lines[N_CONTEXTS];
  Guess *guess_tables[N_GUESSES], *guesses[N_GUESSES];
  int64_t guessed[N_GUESSES];  // ranks, -1 where there is none
  Counter guess_counters[N_GUESSES][MOST_SURE + 1][N_KINDS];

  int32_t set;
  float rate;
  float weights[N_MIXERS][N_WEIGHT_SETS][N_INPUTS] __attribute__((aligned(16)));
  float stretch[STRETCH_SIZE], squash[SQUASH_SIZE];
  int32_t shares[256];
  uint16_t refined[2][APM_CONTEXTS][APM_STEPS];
} Mixed;
