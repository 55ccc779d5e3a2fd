/* The loops of csr.h, for one type of value (VALUE), one of column (INDEX) and one
   instruction set. */

ISA SCALAR static double NAME(csr_dot)(
    const void *values, const void *columns, ptrdiff_t size, const double *w)
{
    const VALUE *x = values;
    const INDEX *at = columns;
    double f0 = 0.0, f1 = 0.0, f2 = 0.0, f3 = 0.0;
    ptrdiff_t k = 0;
    for (; k < size - 3; k += 4) {
        f0 += x[k] * w[at[k]];
        f1 += x[k + 1] * w[at[k + 1]];
        f2 += x[k + 2] * w[at[k + 2]];
        f3 += x[k + 3] * w[at[k + 3]];
    }
    for (; k < size; k++)
        f0 += x[k] * w[at[k]];
    return (f0 + f1) + (f2 + f3);
}

/* A value that is no number stays one: comparisons with it are false. */
ISA static inline double NAME(csr_settle1)(
    double *w, double *paid, double total, double least)
{
    double before = *w, owed = total - *paid;
    double low = -owed < least ? -owed : least;
    double part = owed < before ? owed : before;
    *paid = total;
    return *w = before - (low > part ? low : part);
}

ISA SCALAR static double NAME(csr_settle)(
    const void *values, const void *columns, ptrdiff_t size, double *w, double *paid,
    double total, double least)
{
    const VALUE *x = values;
    const INDEX *at = columns;
    double f0 = 0.0, f1 = 0.0, f2 = 0.0, f3 = 0.0;
    ptrdiff_t k = 0;
    for (; k < size - 3; k += 4) {
        f0 += x[k] * NAME(csr_settle1)(w + at[k], paid + at[k], total, least);
        f1 += x[k + 1] * NAME(csr_settle1)(w + at[k + 1], paid + at[k + 1], total, least);
        f2 += x[k + 2] * NAME(csr_settle1)(w + at[k + 2], paid + at[k + 2], total, least);
        f3 += x[k + 3] * NAME(csr_settle1)(w + at[k + 3], paid + at[k + 3], total, least);
    }
    for (; k < size; k++)
        f0 += x[k] * NAME(csr_settle1)(w + at[k], paid + at[k], total, least);
    return (f0 + f1) + (f2 + f3);
}

/* One after the other, as a column may occur twice. */
ISA SCALAR static void NAME(csr_add)(
    const void *values, const void *columns, ptrdiff_t size, double c, double *g)
{
    const VALUE *x = values;
    const INDEX *at = columns;
    ptrdiff_t k = 0;
    for (; k < size - 3; k += 4) {
        g[at[k]] += c * x[k];
        g[at[k + 1]] += c * x[k + 1];
        g[at[k + 2]] += c * x[k + 2];
        g[at[k + 3]] += c * x[k + 3];
    }
    for (; k < size; k++)
        g[at[k]] += c * x[k];
}
