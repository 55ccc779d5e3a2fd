/* Products of dense rows with vectors, for float64 and float32 rows; sums are float64.

   dot    x·w                      dot4   the same for four rows, w read once
   meet4  dot4, and the six products of the rows among themselves:
          01, 02, 12, 03, 13, 23
   add    g ← g + c x              add4   g ← g + Σ c_k x_k, g read and written once
   norm   Σ_j scale_j x_j²         add_squares   g_j ← g_j + c x_j²

   Compiled twice, for any processor and for those with AVX2 and FMA; `have_avx2` tells
   them apart when the module is imported, so that a wheel runs on both. */

#include <stddef.h>

#if defined(__GNUC__)
#define sgd_prefetch(p) __builtin_prefetch(p, 0, 2)
#else
#define sgd_prefetch(p)
#endif

#define ISA
#define VALUE double
#define NAME(f) f##_64
#include "dense_loops.h"
#undef VALUE
#undef NAME
#define VALUE float
#define NAME(f) f##_32
#include "dense_loops.h"
#undef VALUE
#undef NAME
#undef ISA

#if defined(__GNUC__) && defined(__x86_64__)
#define ISA __attribute__((target("avx2,fma")))
#define VALUE double
#define NAME(f) f##_64_avx2
#include "dense_loops.h"
#undef VALUE
#undef NAME
#define VALUE float
#define NAME(f) f##_32_avx2
#include "dense_loops.h"
#undef VALUE
#undef NAME
#undef ISA
static int have_avx2(void)
{
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}
#define PICK(f) (have_avx2() ? f##_avx2 : f)
#else
#define PICK(f) (f)
#endif
