// The network of a series model, in integers that floats of 32 bits hold exactly (vqaudio/series/coding/model.py).
#pragma once

#include "rangecoder.h"

enum { TOKENS = 64, OUTPUTS_AT_ONCE = 32, VECTORS = OUTPUTS_AT_ONCE / 4 };

// Weights stand in pairs of inputs: (pairs, outputs, 2), so that one instruction multiplies a pair by four outputs'.
typedef struct {
  const int16_t *weights;
  const int32_t *biases;
  const float *scales;
  int32_t n_pairs, n_outputs;  // outputs: a multiple of OUTPUTS_AT_ONCE
  int32_t least, most;
} Layer;

typedef struct {
  Layer first, second, logits;
  const double *exp;
  int32_t last_exp;
} Network;

static inline const void *parse_layer(const void *at, Layer *layer, int32_t n_pairs, int32_t n_outputs) {
  layer->n_pairs = n_pairs;
  layer->n_outputs = n_outputs;
  layer->weights = at;
  layer->biases = (const int32_t *)(layer->weights + 2 * n_pairs * n_outputs);
  layer->scales = (const float *)(layer->biases + n_outputs);
  return layer->scales + n_outputs;
}

// Layers one after another, and the table of the softmax; hidden layers have rectifiers.
static inline Network parse_network(const void *at, int32_t n_inputs, int32_t n_first, int32_t n_second, int32_t n_exp) {
  Network network;
  at = parse_layer(at, &network.first, n_inputs / 2, n_first);
  at = parse_layer(at, &network.second, n_first / 2, n_second);
  network.exp = parse_layer(at, &network.logits, n_second / 2, TOKENS);
  network.last_exp = n_exp - 1;
  network.first.least = network.second.least = 0;
  network.first.most = network.second.most = 127;
  network.logits.most = 1 << 20;
  network.logits.least = -network.logits.most;
  return network;
}

// Sums of products, requantized, of so many outputs from `output` on; inputs are a multiple of two.
INLINE void run_part(const Layer *layer, const int16_t *inputs, int32_t output, v128_t made[VECTORS]) {
  for (int32_t i = 0; i < VECTORS; i++) made[i] = wasm_v128_load(layer->biases + output + 4 * i);
  const int16_t *weights = layer->weights + 2 * output;
  for (int32_t pair = 0; pair < layer->n_pairs; pair++, weights += 2 * layer->n_outputs) {
    const v128_t input = wasm_v128_load32_splat(inputs + 2 * pair);
    for (int32_t i = 0; i < VECTORS; i++)
      made[i] = wasm_i32x4_add(made[i], wasm_i32x4_dot_i16x8(input, wasm_v128_load(weights + 8 * i)));
  }
  const v128_t least = wasm_i32x4_splat(layer->least), most = wasm_i32x4_splat(layer->most);
  for (int32_t i = 0; i < VECTORS; i++) {
    const v128_t scaled = wasm_f32x4_mul(wasm_f32x4_convert_i32x4(made[i]), wasm_v128_load(layer->scales + output + 4 * i));
    const v128_t whole = wasm_i32x4_trunc_sat_f32x4(wasm_f32x4_floor(scaled));
    made[i] = wasm_i32x4_max(wasm_i32x4_min(whole, most), least);
  }
}

static inline void run_hidden(const Layer *layer, const int16_t *inputs, int16_t *outputs) {
  v128_t made[VECTORS];
  for (int32_t output = 0; output < layer->n_outputs; output += OUTPUTS_AT_ONCE) {
    run_part(layer, inputs, output, made);
    for (int32_t i = 0; i < VECTORS; i += 2)
      wasm_v128_store(outputs + output + 4 * i, wasm_i16x8_narrow_i32x4(made[i], made[i + 1]));
  }
}

// Where the intervals of all tokens start, from their features; `hidden` has room for both layers.
static inline void run_network(const Network *network, const int16_t *features, int16_t *hidden, uint32_t starts[TOKENS + 1]) {
  int16_t *second = hidden + network->first.n_outputs;
  run_hidden(&network->first, features, hidden);
  run_hidden(&network->second, hidden, second);
  int32_t logits[TOKENS] __attribute__((aligned(16)));
  v128_t made[VECTORS], greatest = wasm_i32x4_splat(INT32_MIN);
  for (int32_t output = 0; output < TOKENS; output += OUTPUTS_AT_ONCE) {
    run_part(&network->logits, second, output, made);
    for (int32_t i = 0; i < VECTORS; i++) {
      wasm_v128_store(logits + output + 4 * i, made[i]);
      greatest = wasm_i32x4_max(greatest, made[i]);
    }
  }
  greatest = wasm_i32x4_max(greatest, wasm_i32x4_shuffle(greatest, greatest, 2, 3, 0, 1));
  greatest = wasm_i32x4_max(greatest, wasm_i32x4_shuffle(greatest, greatest, 1, 0, 3, 2));
  const int32_t top = wasm_i32x4_extract_lane(greatest, 0);
  double weights[TOKENS] __attribute__((aligned(16))), sum = 0;
  for (int32_t token = 0; token < TOKENS; token++) {
    const int32_t below = top - logits[token];
    weights[token] = network->exp[below < network->last_exp ? below : network->last_exp];
    sum += weights[token];
  }
  uint32_t frequencies[TOKENS], total = 0, largest = 0;
  for (int32_t token = 0; token < TOKENS; token++) {
    // Products are 2**44 or less; a quotient that is no integer is farther below the next one than its rounding.
    frequencies[token] = (uint32_t)(weights[token] * ((1 << PRECISION) - TOKENS) / sum) + 1;
    total += frequencies[token];
  }
  for (uint32_t token = 1; token < TOKENS; token++)
    if (frequencies[token] > frequencies[largest]) largest = token;
  frequencies[largest] += (1 << PRECISION) - total;
  starts[0] = 0;
  for (int32_t token = 0; token < TOKENS; token++) starts[token + 1] = starts[token] + frequencies[token];
}
