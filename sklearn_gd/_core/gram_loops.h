/* The loops of gram.h, for one type of value (VALUE) and one instruction set,
   whose registers hold a VECTOR. */

ISA static void NAME(pack)(
    const VALUE *x, ptrdiff_t d, const double *point, double root, double *to)
{
    for (; d >= WIDE; d -= WIDE) {
        for (ptrdiff_t j = 0; j < WIDE; j++)
            to[j] = root * (x[j] - point[j]);
        x += WIDE, point += WIDE, to += ROWS * WIDE;
    }
    for (ptrdiff_t j = 0; j < d; j++)
        to[j] = root * (x[j] - point[j]);
}

/* Sums of TALL columns of a with `wide` columns of b. */
ISA static INLINE void NAME(tile)(
    const double *a, const double *b, const ptrdiff_t wide, double *g, ptrdiff_t stride)
{
    enum { LANES = sizeof(VECTOR) / sizeof(double) };
    VECTOR sum[TALL][WIDE / LANES] ;
    memset(sum, 0, sizeof sum);
    for (ptrdiff_t r = 0; r < ROWS; r++)
        for (ptrdiff_t i = 0; i < TALL; i++)
            for (ptrdiff_t j = 0; j < wide / LANES; j++)
                sum[i][j] += a[WIDE * r + i] * ((const VECTOR *)(b + WIDE * r))[j];
    for (ptrdiff_t i = 0; i < TALL; i++)
        for (ptrdiff_t j = 0; j < wide / LANES; j++)
            ((VECTOR *)(g + i * stride))[j] += sum[i][j];
}

/* Add n rows to the tiles of G that meet its lower triangle. G has whole tiles, and
   `stride` columns. The panels are 0 where nothing was packed. */
ISA static void NAME(gram)(
    const void *rows, ptrdiff_t n, ptrdiff_t d, const double *point, const double *y,
    const double *s, double *panels, double *G, ptrdiff_t stride)
{
    const VALUE *x = rows, *end = x + n * d;
    ptrdiff_t target = d / WIDE * ROWS * WIDE + d % WIDE;
    ptrdiff_t one = (d + 1) / WIDE * ROWS * WIDE + (d + 1) % WIDE;
    /* Each tile asks for its share of the next rows. */
    ptrdiff_t tiles = (stride / TALL) * (stride / WIDE + 1) / 2;
    ptrdiff_t share = ROWS * d / tiles + 1, line = 64 / sizeof(VALUE);
    for (ptrdiff_t first = 0; first < n; first += ROWS) {
        if (n - first < ROWS)
            memset(panels, 0, ROWS * stride * sizeof(double));
        for (ptrdiff_t r = 0; r < ROWS && first + r < n; r++) {
            double root = sqrt(s[first + r]), *to = panels + r * WIDE;
            NAME(pack)(x, d, point, root, to);
            to[target] = root * y[first + r];
            to[one] = root;
            x += d;
        }
        const VALUE *ahead = x;
        for (ptrdiff_t j = 0; j < stride; j += WIDE)
            for (ptrdiff_t i = j; i < d + 2; i += TALL) {
                const double *a = panels + i / WIDE * ROWS * WIDE + i % WIDE;
                const double *b = panels + j * ROWS;
                double *g = G + i * stride + j;
                for (ptrdiff_t k = 0; k < share && k < end - ahead; k += line)
                    sgd_prefetch(ahead + k);
                ahead += share < end - ahead ? share : end - ahead;
                if (i == j)
                    NAME(tile)(a, b, TALL, g, stride);
                else if (i == j + TALL)
                    NAME(tile)(a, b, 2 * TALL, g, stride);
                else
                    NAME(tile)(a, b, WIDE, g, stride);
            }
    }
}
