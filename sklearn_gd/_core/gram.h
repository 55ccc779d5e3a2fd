/* The Gram matrix of the rows z = √s (x − point, y, 1), for float64 and float32 rows x;
   sums are float64.

   Rows are packed, ROWS at a time, into panels of WIDE columns: 12 values of the first
   row, 12 of the second, …; then the next 12 columns. A tile of the matrix, TALL × WIDE
   sums over the packed rows, fills the 16 vector registers of AVX2, the columns behind
   z being 0. A panel stays in the nearest cache while all tiles below it are summed. */

#include <math.h>
#include <stddef.h>
#include <string.h>

#include "isa.h"

enum { ROWS = 32, TALL = 4, WIDE = 12 };

#if defined(__GNUC__)
#define INLINE inline __attribute__((always_inline))
#else
#define INLINE inline
#endif

#define VECTOR double
#define ISA
#define VALUE double
#define NAME(f) f##_64
#include "gram_loops.h"
#undef VALUE
#undef NAME
#define VALUE float
#define NAME(f) f##_32
#include "gram_loops.h"
#undef VALUE
#undef NAME
#undef ISA
#undef VECTOR

/* The compiler keeps the sums in registers only where it needn't find the vectors
   itself (57 instead of 20 GF/s), but it doesn't if they are no registers' size. */
#if defined(AVX2)
typedef double four __attribute__((vector_size(32), aligned(8), may_alias));
#define VECTOR four
#define ISA AVX2
#define VALUE double
#define NAME(f) f##_64_avx2
#include "gram_loops.h"
#undef VALUE
#undef NAME
#define VALUE float
#define NAME(f) f##_32_avx2
#include "gram_loops.h"
#undef VALUE
#undef NAME
#undef ISA
#undef VECTOR
#endif
