// What all kernels share: types of fixed size, and how functions get out. No libc; memory is the caller's.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <wasm_simd128.h>

#define EXPORT(name) __attribute__((export_name(#name))) name

typedef unsigned __int128 u128;
typedef __int128 i128;

// What kernels return in place of a count: the bytes that they were given say what cannot be.
enum { DAMAGED = -1 };
