/* The loops of dense.h, for one type of value (VALUE) and one instruction set.
   The compiler makes vectors of them; where sums depend on how well it does that, they
   are written out for AVX2. */

ISA static void NAME(add)(const void *row, double c, double *g, ptrdiff_t d)
{
    const VALUE *x = row;
    for (ptrdiff_t j = 0; j < d; j++)
        g[j] += c * x[j];
}

#ifndef LOAD4

ISA static double NAME(dot)(const void *row, const double *w, ptrdiff_t d)
{
    const VALUE *x = row;
    double f = 0.0;
    for (ptrdiff_t j = 0; j < d; j++)
        f += x[j] * w[j];
    return f;
}

ISA static void NAME(dot4)(const void **x, const double *w, ptrdiff_t d, double *f)
{
    const VALUE *x0 = x[0], *x1 = x[1], *x2 = x[2], *x3 = x[3];
    double f0 = 0.0, f1 = 0.0, f2 = 0.0, f3 = 0.0;
    for (ptrdiff_t j = 0; j < d; j++) {
        f0 += x0[j] * w[j];
        f1 += x1[j] * w[j];
        f2 += x2[j] * w[j];
        f3 += x3[j] * w[j];
    }
    f[0] = f0, f[1] = f1, f[2] = f2, f[3] = f3;
}

ISA static void NAME(add4)(const void **x, const double *c, double *g, ptrdiff_t d)
{
    const VALUE *x0 = x[0], *x1 = x[1], *x2 = x[2], *x3 = x[3];
    double c0 = c[0], c1 = c[1], c2 = c[2], c3 = c[3];
    for (ptrdiff_t j = 0; j < d; j++)
        g[j] += (c0 * x0[j] + c1 * x1[j]) + (c2 * x2[j] + c3 * x3[j]);
}

ISA static void NAME(meet4)(
    const void **x, const double *w, ptrdiff_t d, double *f, double *p)
{
    const VALUE *x0 = x[0], *x1 = x[1], *x2 = x[2], *x3 = x[3];
    double f0 = 0.0, f1 = 0.0, f2 = 0.0, f3 = 0.0;
    double p01 = 0.0, p02 = 0.0, p12 = 0.0, p03 = 0.0, p13 = 0.0, p23 = 0.0;
    for (ptrdiff_t j = 0; j < d; j++) {
        double a = x0[j], b = x1[j], c = x2[j], e = x3[j];
        f0 += a * w[j];
        f1 += b * w[j];
        f2 += c * w[j];
        f3 += e * w[j];
        p01 += a * b;
        p02 += a * c;
        p12 += b * c;
        p03 += a * e;
        p13 += b * e;
        p23 += c * e;
    }
    f[0] = f0, f[1] = f1, f[2] = f2, f[3] = f3;
    p[0] = p01, p[1] = p02, p[2] = p12, p[3] = p03, p[4] = p13, p[5] = p23;
}

ISA static void NAME(move4)(const void **x, const double *c, double *w, ptrdiff_t d)
{
    NAME(add4)(x, c, w, d);
}

#else

/* A sum waits for its last addition: four side by side wait less. */
ISA static double NAME(dot)(const void *row, const double *w, ptrdiff_t d)
{
    __m256d zero = _mm256_setzero_pd(), f[4] = {zero, zero, zero, zero};
    ptrdiff_t j = 0;
    for (; j + 16 <= d; j += 16)
        for (ptrdiff_t k = j; k < j + 16; k += 4)
            f[(k - j) / 4] = _mm256_fmadd_pd(
                LOAD4(row, k, k + 4), _mm256_loadu_pd(w + k), f[(k - j) / 4]);
    for (; j < d; j += 4)
        f[0] = _mm256_fmadd_pd(LOAD4(row, j, d), load4_64(w, j, d), f[0]);
    f[0] = _mm256_add_pd(_mm256_add_pd(f[0], f[1]), _mm256_add_pd(f[2], f[3]));
    return _mm256_cvtsd_f64(four_sums(f[0], f[0], f[0], f[0]));
}

/* The part from j on of dot4, of at most four values. */
ISA static inline void NAME(dot4_part)(
    const void **x, const double *w, ptrdiff_t j, ptrdiff_t d, __m256d *f)
{
    __m256d v = load4_64(w, j, d);
    for (int k = 0; k < 4; k++)
        f[k] = _mm256_fmadd_pd(LOAD4(x[k], j, d), v, f[k]);
}

ISA static void NAME(dot4)(const void **x, const double *w, ptrdiff_t d, double *f)
{
    __m256d zero = _mm256_setzero_pd(), sum[4] = {zero, zero, zero, zero};
    ptrdiff_t j = 0;
    for (; j + 4 <= d; j += 4)
        NAME(dot4_part)(x, w, j, j + 4, sum);
    if (j < d)
        NAME(dot4_part)(x, w, j, d, sum);
    _mm256_storeu_pd(f, four_sums(sum[0], sum[1], sum[2], sum[3]));
}

ISA static void NAME(meet4)(
    const void **x, const double *w, ptrdiff_t d, double *f, double *p)
{
    const VALUE *x0 = x[0], *x1 = x[1], *x2 = x[2], *x3 = x[3];
    __m256d f0 = _mm256_setzero_pd(), f1 = f0, f2 = f0, f3 = f0;
    __m256d p01 = f0, p02 = f0, p12 = f0, p03 = f0, p13 = f0, p23 = f0;
    for (ptrdiff_t j = 0; j < d; j += 4) {
        __m256d v = _mm256_loadu_pd(w + j);
        __m256d a = LOAD4(x0, j, d), b = LOAD4(x1, j, d);
        __m256d c = LOAD4(x2, j, d), e = LOAD4(x3, j, d);
        f0 = _mm256_fmadd_pd(a, v, f0);
        f1 = _mm256_fmadd_pd(b, v, f1);
        f2 = _mm256_fmadd_pd(c, v, f2);
        f3 = _mm256_fmadd_pd(e, v, f3);
        p01 = _mm256_fmadd_pd(a, b, p01);
        p02 = _mm256_fmadd_pd(a, c, p02);
        p12 = _mm256_fmadd_pd(b, c, p12);
        p03 = _mm256_fmadd_pd(a, e, p03);
        p13 = _mm256_fmadd_pd(b, e, p13);
        p23 = _mm256_fmadd_pd(c, e, p23);
    }
    _mm256_storeu_pd(f, four_sums(f0, f1, f2, f3));
    _mm256_storeu_pd(p, four_sums(p01, p02, p12, p03));
    _mm_storeu_pd(p + 4, _mm256_castpd256_pd128(four_sums(p13, p23, p13, p23)));
}

/* The part from j on of add4, of at most four values. */
ISA static inline void NAME(add4_part)(
    const void **x, const double *c, double *g, ptrdiff_t j, ptrdiff_t d)
{
    __m256d one = _mm256_mul_pd(_mm256_set1_pd(c[0]), LOAD4(x[0], j, d));
    __m256d two = _mm256_mul_pd(_mm256_set1_pd(c[2]), LOAD4(x[2], j, d));
    one = _mm256_fmadd_pd(_mm256_set1_pd(c[1]), LOAD4(x[1], j, d), one);
    two = _mm256_fmadd_pd(_mm256_set1_pd(c[3]), LOAD4(x[3], j, d), two);
    store4(g, j, d, _mm256_add_pd(load4_64(g, j, d), _mm256_add_pd(one, two)));
}

ISA static void NAME(add4)(const void **x, const double *u, double *g, ptrdiff_t d)
{
    const double c[4] = {u[0], u[1], u[2], u[3]};
    ptrdiff_t j = 0;
    for (; j + 4 <= d; j += 4)
        NAME(add4_part)(x, c, g, j, j + 4);
    if (j < d)
        NAME(add4_part)(x, c, g, j, d);
}

ISA static void NAME(move4)(const void **x, const double *c, double *w, ptrdiff_t d)
{
    const VALUE *x0 = x[0], *x1 = x[1], *x2 = x[2], *x3 = x[3];
    __m256d c0 = _mm256_set1_pd(c[0]), c1 = _mm256_set1_pd(c[1]);
    __m256d c2 = _mm256_set1_pd(c[2]), c3 = _mm256_set1_pd(c[3]);
    for (ptrdiff_t j = 0; j < d; j += 4) {
        __m256d one = _mm256_mul_pd(c0, LOAD4(x0, j, d));
        __m256d two = _mm256_mul_pd(c2, LOAD4(x2, j, d));
        one = _mm256_fmadd_pd(c1, LOAD4(x1, j, d), one);
        two = _mm256_fmadd_pd(c3, LOAD4(x3, j, d), two);
        one = _mm256_add_pd(one, two);
        _mm256_storeu_pd(w + j, _mm256_add_pd(_mm256_loadu_pd(w + j), one));
    }
}

#endif

/* Four rows at once read w once, but from long rows the hardware follows one stream
   better than four. */
ISA static void NAME(dot_rows)(
    const void **x, ptrdiff_t n, ptrdiff_t d, const double *w, double *f)
{
    ptrdiff_t k = 0;
    if (d * (ptrdiff_t)sizeof(VALUE) < LONG_ROW)
        for (; k + 4 <= n; k += 4)
            NAME(dot4)(x + k, w, d, f + k);
    for (; k < n; k++)
        f[k] = NAME(dot)(x[k], w, d);
}

/* With ahead > 0, what is that many bytes behind each row is asked for meanwhile: the
   rows are in the cache, and the stream from memory would rest. */
ISA static void NAME(add_rows)(
    const void **x, ptrdiff_t n, ptrdiff_t d, const double *c, double *g,
    ptrdiff_t ahead)
{
    ptrdiff_t k = 0, bytes = d * (ptrdiff_t)sizeof(VALUE);
    for (; k + 4 <= n; k += 4) {
        if (ahead)
            for (ptrdiff_t i = 0; i < 4 * bytes; i += LINE)
                sgd_prefetch_soon((const char *)x[k] + ahead + i);
        NAME(add4)(x + k, c + k, g, d);
    }
    for (; k < n; k++)
        NAME(add)(x[k], c[k], g, d);
}

/* A value that is no number stays one: comparisons with it are false. */
ISA static void NAME(shrink)(
    const void *row, double c, double *w, ptrdiff_t d, double a, double t,
    double least)
{
    const VALUE *x = row;
    double low = -t < least ? -t : least;
    for (ptrdiff_t j = 0; j < d; j++) {
        double v = a * w[j] + c * x[j];
        double part = t < v ? t : v;
        w[j] = v - (low > part ? low : part);
    }
}

ISA static double NAME(norm)(const void *row, const double *scale, ptrdiff_t d)
{
    const VALUE *x = row;
    double f = 0.0;
    for (ptrdiff_t j = 0; j < d; j++) {
        double a = x[j];
        f += scale[j] * (a * a);
    }
    return f;
}

ISA static void NAME(add_squares)(const void *row, double c, double *g, ptrdiff_t d)
{
    const VALUE *x = row;
    for (ptrdiff_t j = 0; j < d; j++) {
        double a = x[j];
        g[j] += c * (a * a);
    }
}
