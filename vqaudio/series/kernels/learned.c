// Residuals whose tokens a network knows the likelihoods of, to bytes and back (vqaudio/series/coding/learned.py).
#include "context.h"
#include "network.h"
#include "predictor.h"

typedef struct {
  Network network;
  Context context;
  int16_t *hidden;
} Coder;

static int64_t *take(int64_t **scratch, int64_t count) {
  int64_t *found = *scratch;
  *scratch += (count + 1) & ~(int64_t)1;
  return found;
}

// `scratch` has 8 bytes for each of: rows and CONTEXT_ROWS, twice, and rows three times; MOST_HIDDEN.
static Coder set_up(const void *network, int32_t n_first, int32_t n_second, int32_t n_exp, const int8_t *tables,
                    const uint64_t *shown, int32_t n_shown, int64_t *scratch, int32_t n_rows) {
  Coder coder = {.network = parse_network(network, N_INPUTS, n_first, n_second, n_exp)};
  coder.context = (Context){.companded = tables, .means = tables + 2 * LARGEST_DIFFERENCE + 1, .n_shown = n_shown,
                            .n_rows = n_rows};
  coder.hidden = (int16_t *)take(&scratch, (n_first + n_second) / 4);
  coder.context.values = take(&scratch, CONTEXT_ROWS + n_rows);
  coder.context.sums = (uint64_t *)take(&scratch, CONTEXT_ROWS + n_rows + 1);
  coder.context.residuals = take(&scratch, N_RESIDUALS + n_rows);
  coder.context.shown = (int8_t *)scratch;
  coder.context.sums[0] = 0;
  for (int32_t i = 0; i < N_RESIDUALS; i++) coder.context.residuals[i] = 0;
  show_columns(&coder.context, shown);
  return coder;
}

typedef struct {
  int64_t nearest, remainder, mean;
  uint32_t shift;
} Prediction;

static inline Prediction predict(const Context *context, const Predictor *predictor, uint64_t known, int32_t row,
                                 int64_t mean) {
  const int64_t *values = context->values + CONTEXT_ROWS + row;
  const int32_t n_lags = predictor->n_lags < row ? predictor->n_lags : row;  // zeros stand before the first row
  uint64_t predicted = known;
  for (int32_t lag = 0; lag < n_lags; lag++) predicted += (uint64_t)predictor->weights[lag] * (uint64_t)values[-1 - lag];
  const int64_t nearest = (int64_t)(predicted + (uint64_t)half_of(predictor)) >> predictor->shift;
  return (Prediction){nearest, (int64_t)(predicted - ((uint64_t)nearest << predictor->shift)), mean,
                      bit_length((uint64_t)mean >> (MEAN_BITS + DIRECT_BITS))};
}

static inline void features_of(const Coder *coder, const Predictor *predictor, const Prediction *prediction, int32_t row,
                               int16_t features[N_INPUTS]) {
  const int64_t least = prediction->nearest > -LARGEST_VALUE ? prediction->nearest : -LARGEST_VALUE;
  const int64_t fraction = (prediction->remainder << FRACTION_BITS) >> predictor->shift;
  context_features(&coder->context, row, least < LARGEST_VALUE ? least : LARGEST_VALUE, fraction, prediction->mean,
                   prediction->shift, features);
}

INLINE uint32_t token_of(u128 unsigned_residual, uint32_t shift) {
  return unsigned_residual >> shift < ESCAPE ? (uint32_t)(unsigned_residual >> shift) : ESCAPE;
}

#define CODER_PARAMETERS                                                                                      \
  const void *network, int32_t n_first, int32_t n_second, int32_t n_exp, const int8_t *tables,                \
      const uint64_t *columns, const uint64_t *centres, const uint64_t *reference_weights, int32_t n_references, \
      const int64_t *weights, int32_t n_lags, int32_t shift, int64_t centre, const uint64_t *shown, int32_t n_shown, \
      int64_t *scratch, uint64_t *known, int32_t n_rows
#define SET_UP                                                                                             \
  Coder coder = set_up(network, n_first, n_second, n_exp, tables, shown, n_shown, scratch, n_rows);        \
  const Predictor predictor = {weights, n_lags, shift};                                                    \
  set_known(known, columns, centres, reference_weights, n_references, n_rows);                             \
  int16_t features[N_INPUTS];                                                                              \
  int64_t mean = 1 << MEAN_BITS

// Features (rows, N_FEATURES) and tokens of all rows, which a network learns from.
int64_t EXPORT(learned_features)(CODER_PARAMETERS, const int64_t *values, const int64_t *residuals, int8_t *found,
                                 int64_t *tokens) {
  SET_UP;
  for (int32_t row = 0; row < n_rows; row++) {
    const Prediction prediction = predict(&coder.context, &predictor, known[row], row, mean);
    features_of(&coder, &predictor, &prediction, row, features);
    for (int32_t i = 0; i < N_FEATURES; i++) *found++ = (int8_t)features[i];
    tokens[row] = token_of(wide_unsigned(residuals[row]), prediction.shift);
    add_to_context(&coder.context, row, (int64_t)((uint64_t)values[row] - (uint64_t)centre), residuals[row]);
    update_mean(&mean, residuals[row]);
  }
  return n_rows;
}

// `bytes` have room for MOST_BYTES a row; returns how many there are.
int64_t EXPORT(encode_learned)(CODER_PARAMETERS, const int64_t *values, const int64_t *residuals, uint8_t *bytes) {
  SET_UP;
  Encoder encoder = encoder_to(bytes);
  uint32_t starts[TOKENS + 1];
  for (int32_t row = 0; row < n_rows; row++) {
    const Prediction prediction = predict(&coder.context, &predictor, known[row], row, mean);
    features_of(&coder, &predictor, &prediction, row, features);
    run_network(&coder.network, features, coder.hidden, starts);
    const u128 value = wide_unsigned(residuals[row]);
    const uint32_t token = token_of(value, prediction.shift);
    encode_interval(&encoder, starts[token], starts[token + 1] - starts[token]);
    if (token == ESCAPE || prediction.shift) encode_rest(&encoder, value, prediction.shift);
    add_to_context(&coder.context, row, (int64_t)((uint64_t)values[row] - (uint64_t)centre), residuals[row]);
    update_mean(&mean, residuals[row]);
  }
  return finish(&encoder);
}

// PADDING zeros stand behind `bytes`.
int64_t EXPORT(decode_learned)(CODER_PARAMETERS, const uint8_t *bytes, int32_t n_bytes, int64_t *values) {
  SET_UP;
  Decoder decoder = decoder_of(bytes, n_bytes);
  uint32_t starts[TOKENS + 1];
  for (int32_t row = 0; row < n_rows; row++) {
    const Prediction prediction = predict(&coder.context, &predictor, known[row], row, mean);
    features_of(&coder, &predictor, &prediction, row, features);
    run_network(&coder.network, features, coder.hidden, starts);
    const uint32_t wanted = place(&decoder);
    uint32_t token = 0;
    while (starts[token + 1] <= wanted) token++;
    take_interval(&decoder, starts[token], starts[token + 1] - starts[token]);
    int64_t residual;
    const int64_t damage = decode_rest(&decoder, token, prediction.shift, &residual);
    if (damage) return damage;
    const uint64_t sign = prediction.remainder < 0 ? UINT64_MAX : 0;
    const int64_t value = (int64_t)((uint64_t)prediction.nearest + (((uint64_t)residual ^ sign) - sign));
    if (value >= LARGEST_VALUE || value <= -LARGEST_VALUE || size_of(residual) >> 14 >= (uint64_t)LARGEST_VALUE)
      return BEYOND_CONTEXT;
    add_to_context(&coder.context, row, value, residual);
    update_mean(&mean, residual);
    values[row] = (int64_t)((uint64_t)value + (uint64_t)centre);
  }
  return n_rows;
}
