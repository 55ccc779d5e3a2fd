/* Products of CSR rows with vectors, for float64 and float32 values and indices of 32
   and 64 bits; sums are float64.

   dot    x·w                      add    g ← g + c x
   settle   dot, after each w_j of the row has moved nearer to 0 by what the total has
            grown by since `paid`_j, or by −least if w_j < 0 and that is more */

#include <stddef.h>

#include "isa.h"

/* Collecting values of w into a vector takes longer than four sums side by side. */
#if defined(__GNUC__) && !defined(__clang__)
#define SCALAR __attribute__((optimize("no-tree-vectorize")))
#else
#define SCALAR
#endif

#define ISA
#define NAME(f) f##_64_32
#define VALUE double
#define INDEX int
#include "csr_loops.h"
#undef NAME
#undef INDEX
#define NAME(f) f##_64_64
#define INDEX long long
#include "csr_loops.h"
#undef NAME
#undef VALUE
#define NAME(f) f##_32_64
#define VALUE float
#include "csr_loops.h"
#undef NAME
#undef INDEX
#define NAME(f) f##_32_32
#define INDEX int
#include "csr_loops.h"
#undef NAME
#undef INDEX
#undef VALUE
#undef ISA

#if defined(AVX2)
#define ISA AVX2
#define NAME(f) f##_64_32_avx2
#define VALUE double
#define INDEX int
#include "csr_loops.h"
#undef NAME
#undef INDEX
#define NAME(f) f##_64_64_avx2
#define INDEX long long
#include "csr_loops.h"
#undef NAME
#undef VALUE
#define NAME(f) f##_32_64_avx2
#define VALUE float
#include "csr_loops.h"
#undef NAME
#undef INDEX
#define NAME(f) f##_32_32_avx2
#define INDEX int
#include "csr_loops.h"
#undef NAME
#undef INDEX
#undef VALUE
#undef ISA
#endif
