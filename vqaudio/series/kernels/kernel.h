// What all kernels share: types of fixed size, and how functions get out. No libc; memory is the caller's.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <wasm_simd128.h>

#define EXPORT(name) __attribute__((export_name(#name))) name

#define INLINE static inline __attribute__((always_inline))

typedef unsigned __int128 u128;
typedef __int128 i128;

// What kernels return in place of a count where the bytes that they were given say what cannot be: see DAMAGES in
// __init__.py.
enum { DAMAGED = -1, BEYOND_64_BITS = -2, BEYOND_CONTEXT = -3 };
