/* The loops of lanes.h, for one type of value (VALUE) and one instruction set. */

/* The next product waits for all of this one: sums side by side shorten the wait. */
ISA static lanes_t NAME(dot_one)(
    const VALUE *x, ptrdiff_t d, const double *W, ptrdiff_t K)
{
    lanes_t a = {0}, b = {0}, c = {0}, e = {0};
    ptrdiff_t j = 0;
    for (; j + 4 <= d; j += 4, W += 4 * K) {
        a += (double)x[j] * *(const lanes_t *)W;
        b += (double)x[j + 1] * *(const lanes_t *)(W + K);
        c += (double)x[j + 2] * *(const lanes_t *)(W + 2 * K);
        e += (double)x[j + 3] * *(const lanes_t *)(W + 3 * K);
    }
    for (; j < d; j++, W += K)
        a += (double)x[j] * *(const lanes_t *)W;
    return (a + b) + (c + e);
}

/* TOGETHER rows with `groups` registers of targets, 1 or 2, which the compiler knows. */
ISA static INLINE void NAME(dot_block)(
    const VALUE **x, ptrdiff_t d, const double *W, ptrdiff_t K, double *F,
    const ptrdiff_t groups)
{
    lanes_t sum[TOGETHER][2] = {{{0}}};
    for (ptrdiff_t j = 0; j < d; j++, W += K)
        for (ptrdiff_t i = 0; i < TOGETHER; i++)
            for (ptrdiff_t g = 0; g < groups; g++)
                sum[i][g] += (double)x[i][j] * ((const lanes_t *)W)[g];
    for (ptrdiff_t i = 0; i < TOGETHER; i++)
        for (ptrdiff_t g = 0; g < groups; g++)
            ((lanes_t *)(F + i * K))[g] = sum[i][g];
}

ISA static INLINE void NAME(add_block)(
    const VALUE **x, ptrdiff_t d, const double *C, ptrdiff_t K, double *W,
    const ptrdiff_t groups)
{
    lanes_t c[TOGETHER][2];
    for (ptrdiff_t i = 0; i < TOGETHER; i++)
        for (ptrdiff_t g = 0; g < groups; g++)
            c[i][g] = ((const lanes_t *)(C + i * K))[g];
    for (ptrdiff_t j = 0; j < d; j++, W += K)
        for (ptrdiff_t g = 0; g < groups; g++) {
            lanes_t w = ((const lanes_t *)W)[g];
            for (ptrdiff_t i = 0; i < TOGETHER; i++)
                w += (double)x[i][j] * c[i][g];
            ((lanes_t *)W)[g] = w;
        }
}

ISA static void NAME(dot_lanes)(
    const void **rows, ptrdiff_t count, ptrdiff_t d, const double *W, ptrdiff_t K,
    double *F)
{
    const VALUE **x = (const VALUE **)rows;
    ptrdiff_t r = 0;
    for (; r + TOGETHER <= count; r += TOGETHER) {
        ptrdiff_t t = 0;
        for (; t + 2 * WIDTH <= K; t += 2 * WIDTH)
            NAME(dot_block)(x + r, d, W + t, K, F + r * K + t, 2);
        if (t < K)
            NAME(dot_block)(x + r, d, W + t, K, F + r * K + t, 1);
    }
    for (; r < count; r++)
        for (ptrdiff_t t = 0; t < K; t += WIDTH)
            *(lanes_t *)(F + r * K + t) = NAME(dot_one)(x[r], d, W + t, K);
}

ISA static void NAME(add_lanes)(
    const void **rows, ptrdiff_t count, ptrdiff_t d, const double *C, ptrdiff_t K,
    double *W)
{
    const VALUE **x = (const VALUE **)rows;
    ptrdiff_t r = 0;
    for (; r + TOGETHER <= count; r += TOGETHER) {
        ptrdiff_t t = 0;
        for (; t + 2 * WIDTH <= K; t += 2 * WIDTH)
            NAME(add_block)(x + r, d, C + r * K + t, K, W + t, 2);
        if (t < K)
            NAME(add_block)(x + r, d, C + r * K + t, K, W + t, 1);
    }
    for (; r < count; r++)
        for (ptrdiff_t t = 0; t < K; t += WIDTH) {
            lanes_t c = *(const lanes_t *)(C + r * K + t);
            double *w = W + t;
            for (ptrdiff_t j = 0; j < d; j++, w += K)
                *(lanes_t *)w += (double)x[r][j] * c;
        }
}

/* A line of the cache holds two registers of targets, which both are used while it is
   near. */
#define CSR_LANES(INDEX, SUFFIX) \
ISA static INLINE void NAME(csr_dot_block_##SUFFIX)( \
    const VALUE *x, const INDEX *at, ptrdiff_t size, const double *W, ptrdiff_t K, \
    double *F, const ptrdiff_t groups) \
{ \
    lanes_t even[2] = {{0}}, odd[2] = {{0}}; \
    ptrdiff_t k = 0; \
    for (; k + 2 <= size; k += 2) \
        for (ptrdiff_t g = 0; g < groups; g++) { \
            even[g] += (double)x[k] * ((const lanes_t *)(W + at[k] * K))[g]; \
            odd[g] += (double)x[k + 1] * ((const lanes_t *)(W + at[k + 1] * K))[g]; \
        } \
    for (ptrdiff_t g = 0; g < groups; g++) { \
        if (k < size) \
            even[g] += (double)x[k] * ((const lanes_t *)(W + at[k] * K))[g]; \
        ((lanes_t *)F)[g] = even[g] + odd[g]; \
    } \
} \
\
ISA static INLINE void NAME(csr_add_block_##SUFFIX)( \
    const VALUE *x, const INDEX *at, ptrdiff_t size, const double *C, ptrdiff_t K, \
    double *W, const ptrdiff_t groups) \
{ \
    lanes_t c[2]; \
    for (ptrdiff_t g = 0; g < groups; g++) \
        c[g] = ((const lanes_t *)C)[g]; \
    for (ptrdiff_t k = 0; k < size; k++) \
        for (ptrdiff_t g = 0; g < groups; g++) \
            ((lanes_t *)(W + at[k] * K))[g] += (double)x[k] * c[g]; \
} \
\
ISA static void NAME(csr_dot_lanes_##SUFFIX)( \
    const void *values, const void *columns, ptrdiff_t size, const double *W, \
    ptrdiff_t K, double *F) \
{ \
    ptrdiff_t t = 0; \
    for (; t + 2 * WIDTH <= K; t += 2 * WIDTH) \
        NAME(csr_dot_block_##SUFFIX)(values, columns, size, W + t, K, F + t, 2); \
    if (t < K) \
        NAME(csr_dot_block_##SUFFIX)(values, columns, size, W + t, K, F + t, 1); \
} \
\
ISA static void NAME(csr_add_lanes_##SUFFIX)( \
    const void *values, const void *columns, ptrdiff_t size, const double *C, \
    ptrdiff_t K, double *W) \
{ \
    ptrdiff_t t = 0; \
    for (; t + 2 * WIDTH <= K; t += 2 * WIDTH) \
        NAME(csr_add_block_##SUFFIX)(values, columns, size, C + t, K, W + t, 2); \
    if (t < K) \
        NAME(csr_add_block_##SUFFIX)(values, columns, size, C + t, K, W + t, 1); \
}

CSR_LANES(int, 32)
CSR_LANES(long long, 64)
#undef CSR_LANES
