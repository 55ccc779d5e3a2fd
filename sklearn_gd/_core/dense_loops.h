/* The loops of dense.h, for one type of value (VALUE) and one instruction set.
   The compiler makes vectors of them. */

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

ISA static void NAME(add)(const void *row, double c, double *g, ptrdiff_t d)
{
    const VALUE *x = row;
    for (ptrdiff_t j = 0; j < d; j++)
        g[j] += c * x[j];
}

ISA static void NAME(add4)(const void **x, const double *c, double *g, ptrdiff_t d)
{
    const VALUE *x0 = x[0], *x1 = x[1], *x2 = x[2], *x3 = x[3];
    double c0 = c[0], c1 = c[1], c2 = c[2], c3 = c[3];
    for (ptrdiff_t j = 0; j < d; j++)
        g[j] += (c0 * x0[j] + c1 * x1[j]) + (c2 * x2[j] + c3 * x3[j]);
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
