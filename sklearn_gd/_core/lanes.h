/* Products of rows with several vectors at once, for float64 and float32 values; sums are
   float64.

   The vectors lie side by side, W[j * K + t] the j-th coordinate of the t-th, K a multiple
   of LANES, so that one value of a row meets several targets at once and no sum crosses
   the lanes of a register.

   dot_lanes   F[r * K + t] = Σ_j x_rj W[j * K + t]
   add_lanes   W[j * K + t] += Σ_r C[r * K + t] x_rj

   and the same for one CSR row. */

#include <stddef.h>

#include "isa.h"

#if defined(__GNUC__)
typedef double lanes_t __attribute__((vector_size(32), aligned(8), may_alias));
#else
typedef double lanes_t;
#endif

enum { LANES = 4, WIDTH = sizeof(lanes_t) / sizeof(double), TOGETHER = 4 };

#if defined(__GNUC__)
#define INLINE inline __attribute__((always_inline))
#else
#define INLINE inline
#endif

#define ISA
#define VALUE double
#define NAME(f) f##_64
#include "lanes_loops.h"
#undef VALUE
#undef NAME
#define VALUE float
#define NAME(f) f##_32
#include "lanes_loops.h"
#undef VALUE
#undef NAME
#undef ISA

#if defined(AVX2)
#define ISA AVX2
#define VALUE double
#define NAME(f) f##_64_avx2
#include "lanes_loops.h"
#undef VALUE
#undef NAME
#define VALUE float
#define NAME(f) f##_32_avx2
#include "lanes_loops.h"
#undef VALUE
#undef NAME
#undef ISA
#endif
