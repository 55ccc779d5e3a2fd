/* Products of dense rows with vectors, for float64 and float32 rows; sums are float64.

   dot_rows   f_k = x_k·w         add_rows   g ← g + Σ c_k x_k
   meet4  the products of four rows with w, and the six among themselves:
          01, 02, 12, 03, 13, 23
   move4  add_rows for four. It and meet4 may read and write w up to the next
          multiple of 4.
   shrink   w ← the prox of a w + c x: nearer to 0 by t, or by −least if it is
            below 0 and that is more
   norm   Σ_j scale_j x_j²         add_squares   g_j ← g_j + c x_j² */

#include <stddef.h>

#include "isa.h"

enum {
    LINE = 64, /* of the cache */
    /* Bytes from which rows are read one after the other: the hardware follows one
       stream from memory better than four. */
    LONG_ROW = 384
};

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
#include <immintrin.h>

static const long long sgd_mask_64[8] = {-1, -1, -1, -1, 0, 0, 0, 0};
static const int sgd_mask_32[8] = {-1, -1, -1, -1, 0, 0, 0, 0};

/* Four values from x_j on, 0 from x_d on, which is not read. */
AVX2 static inline __m256d load4_64(const double *x, ptrdiff_t j, ptrdiff_t d)
{
    if (j + 4 <= d)
        return _mm256_loadu_pd(x + j);
    return _mm256_maskload_pd(
        x + j, _mm256_loadu_si256((const __m256i *)(sgd_mask_64 + 4 - (d - j))));
}

AVX2 static inline void store4(double *g, ptrdiff_t j, ptrdiff_t d, __m256d values)
{
    if (j + 4 <= d)
        _mm256_storeu_pd(g + j, values);
    else
        _mm256_maskstore_pd(
            g + j, _mm256_loadu_si256((const __m256i *)(sgd_mask_64 + 4 - (d - j))),
            values);
}

AVX2 static inline __m256d load4_32(const float *x, ptrdiff_t j, ptrdiff_t d)
{
    if (j + 4 <= d)
        return _mm256_cvtps_pd(_mm_loadu_ps(x + j));
    return _mm256_cvtps_pd(_mm_maskload_ps(
        x + j, _mm_loadu_si128((const __m128i *)(sgd_mask_32 + 4 - (d - j)))));
}

/* The sums of each. */
AVX2 static inline __m256d four_sums(__m256d a, __m256d b, __m256d c, __m256d e)
{
    __m256d ab = _mm256_hadd_pd(a, b), ce = _mm256_hadd_pd(c, e);
    return _mm256_add_pd(
        _mm256_permute2f128_pd(ab, ce, 0x21), _mm256_blend_pd(ab, ce, 0xC));
}

#define ISA AVX2
#define VALUE double
#define NAME(f) f##_64_avx2
#define LOAD4 load4_64
#include "dense_loops.h"
#undef VALUE
#undef NAME
#undef LOAD4
#define VALUE float
#define NAME(f) f##_32_avx2
#define LOAD4 load4_32
#include "dense_loops.h"
#undef VALUE
#undef NAME
#undef LOAD4
#undef ISA
#endif
