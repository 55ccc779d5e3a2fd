/* Products of dense rows with vectors, for float64 and float32 rows; sums are float64.

   dot    x·w                      dot4   the same for four rows, w read once
   meet4  dot4, and the six products of the rows among themselves:
          01, 02, 12, 03, 13, 23
   add    g ← g + c x              add4   g ← g + Σ c_k x_k, g read and written once
   shrink   w ← the prox of a w + c x: nearer to 0 by t, or by −least if it is
            below 0 and that is more
   norm   Σ_j scale_j x_j²         add_squares   g_j ← g_j + c x_j² */

#include <stddef.h>

#include "isa.h"

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

#if defined(AVX2)
#define ISA AVX2
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
#endif
