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

ISA static void NAME(dot_lanes)(
    const void **rows, ptrdiff_t count, ptrdiff_t d, const double *W, ptrdiff_t K,
    double *F)
{
    const VALUE **x = (const VALUE **)rows;
    for (ptrdiff_t t = 0; t < K; t += WIDTH) {
        ptrdiff_t r = 0;
        for (; r + TOGETHER <= count; r += TOGETHER) {
            lanes_t sum[TOGETHER] = {0};
            for (ptrdiff_t j = 0; j < d; j++) {
                lanes_t w = *(const lanes_t *)(W + j * K + t);
                for (ptrdiff_t i = 0; i < TOGETHER; i++)
                    sum[i] += (double)x[r + i][j] * w;
            }
            for (ptrdiff_t i = 0; i < TOGETHER; i++)
                *(lanes_t *)(F + (r + i) * K + t) = sum[i];
        }
        for (; r < count; r++)
            *(lanes_t *)(F + r * K + t) = NAME(dot_one)(x[r], d, W + t, K);
    }
}

ISA static void NAME(add_lanes)(
    const void **rows, ptrdiff_t count, ptrdiff_t d, const double *C, ptrdiff_t K,
    double *W)
{
    const VALUE **x = (const VALUE **)rows;
    for (ptrdiff_t t = 0; t < K; t += WIDTH) {
        ptrdiff_t r = 0;
        for (; r + TOGETHER <= count; r += TOGETHER) {
            lanes_t c[TOGETHER];
            for (ptrdiff_t i = 0; i < TOGETHER; i++)
                c[i] = *(const lanes_t *)(C + (r + i) * K + t);
            for (ptrdiff_t j = 0; j < d; j++) {
                lanes_t w = *(const lanes_t *)(W + j * K + t);
                for (ptrdiff_t i = 0; i < TOGETHER; i++)
                    w += (double)x[r + i][j] * c[i];
                *(lanes_t *)(W + j * K + t) = w;
            }
        }
        for (; r < count; r++) {
            lanes_t c = *(const lanes_t *)(C + r * K + t);
            double *w = W + t;
            for (ptrdiff_t j = 0; j < d; j++, w += K)
                *(lanes_t *)w += (double)x[r][j] * c;
        }
    }
}

#define CSR_LANES(INDEX, SUFFIX) \
ISA static void NAME(csr_dot_lanes_##SUFFIX)( \
    const void *values, const void *columns, ptrdiff_t size, const double *W, \
    ptrdiff_t K, double *F) \
{ \
    const VALUE *x = values; \
    const INDEX *at = columns; \
    for (ptrdiff_t t = 0; t < K; t += WIDTH) { \
        lanes_t even = {0}, odd = {0}; \
        ptrdiff_t k = 0; \
        for (; k + 2 <= size; k += 2) { \
            even += (double)x[k] * *(const lanes_t *)(W + at[k] * K + t); \
            odd += (double)x[k + 1] * *(const lanes_t *)(W + at[k + 1] * K + t); \
        } \
        if (k < size) \
            even += (double)x[k] * *(const lanes_t *)(W + at[k] * K + t); \
        *(lanes_t *)(F + t) = even + odd; \
    } \
} \
\
ISA static void NAME(csr_add_lanes_##SUFFIX)( \
    const void *values, const void *columns, ptrdiff_t size, const double *C, \
    ptrdiff_t K, double *W) \
{ \
    const VALUE *x = values; \
    const INDEX *at = columns; \
    for (ptrdiff_t t = 0; t < K; t += WIDTH) { \
        lanes_t c = *(const lanes_t *)(C + t); \
        for (ptrdiff_t k = 0; k < size; k++) \
            *(lanes_t *)(W + at[k] * K + t) += (double)x[k] * c; \
    } \
}

CSR_LANES(int, 32)
CSR_LANES(long long, 64)
#undef CSR_LANES
