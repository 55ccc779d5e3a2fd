# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False
"""Rows of X: the only code that knows how a row lies in memory.

Rows offer their products with a vector and their addition to one, several rows a call.
Values are float32 or float64 and, in CSR, indices 32 or 64 bits wide; all sums are
float64. Virtual methods can't be fused, so each class picks the loop for its types
once, or by a branch that the processor predicts.
"""

ctypedef double (*dot_t)(const void*, const double*, Py_ssize_t) noexcept nogil
ctypedef void (*dot_rows_t)(
    const void**, Py_ssize_t, Py_ssize_t, const double*, double*
) noexcept nogil
ctypedef void (*add_rows_t)(
    const void**, Py_ssize_t, Py_ssize_t, const double*, double*, Py_ssize_t
) noexcept nogil
ctypedef void (*meet4_t)(
    const void**, const double*, Py_ssize_t, double*, double*
) noexcept nogil
ctypedef void (*add_t)(const void*, double, double*, Py_ssize_t) noexcept nogil
ctypedef void (*add4_t)(
    const void**, const double*, double*, Py_ssize_t
) noexcept nogil

ctypedef void (*shrink_t)(
    const void*, double, double*, Py_ssize_t, double, double, double
) noexcept nogil

cdef extern from "dense.h":
    shrink_t shrink_64 "PICK(shrink_64)"
    shrink_t shrink_32 "PICK(shrink_32)"
    dot_t norm_64 "PICK(norm_64)"
    dot_t norm_32 "PICK(norm_32)"
    add_t add_squares_64 "PICK(add_squares_64)"
    add_t add_squares_32 "PICK(add_squares_32)"
    dot_rows_t dot_rows_64 "PICK(dot_rows_64)"
    dot_rows_t dot_rows_32 "PICK(dot_rows_32)"
    add_rows_t add_rows_64 "PICK(add_rows_64)"
    add_rows_t add_rows_32 "PICK(add_rows_32)"
    meet4_t meet4_64 "PICK(meet4_64)"
    meet4_t meet4_32 "PICK(meet4_32)"
    add4_t move4_64 "PICK(move4_64)"
    add4_t move4_32 "PICK(move4_32)"
    enum:
        LINE
    void sgd_prefetch(const void* p) noexcept nogil
    void sgd_prefetch_soon(const void* p) noexcept nogil

cdef extern from "files.h":
    void sgd_fetch(const void* start, Py_ssize_t size) noexcept nogil
    void sgd_expect_order(
        const void* start, Py_ssize_t size, bint at_random
    ) noexcept nogil

ctypedef double (*csr_dot_t)(
    const void*, const void*, Py_ssize_t, const double*
) noexcept nogil
ctypedef void (*csr_add_t)(
    const void*, const void*, Py_ssize_t, double, double*
) noexcept nogil
ctypedef double (*csr_settle_t)(
    const void*, const void*, Py_ssize_t, double*, double*, double, double
) noexcept nogil

cdef extern from "csr.h":
    csr_settle_t csr_settle_64_32 "PICK(csr_settle_64_32)"
    csr_settle_t csr_settle_64_64 "PICK(csr_settle_64_64)"
    csr_settle_t csr_settle_32_32 "PICK(csr_settle_32_32)"
    csr_settle_t csr_settle_32_64 "PICK(csr_settle_32_64)"
    csr_dot_t csr_dot_64_32 "PICK(csr_dot_64_32)"
    csr_dot_t csr_dot_64_64 "PICK(csr_dot_64_64)"
    csr_dot_t csr_dot_32_32 "PICK(csr_dot_32_32)"
    csr_dot_t csr_dot_32_64 "PICK(csr_dot_32_64)"
    csr_add_t csr_add_64_32 "PICK(csr_add_64_32)"
    csr_add_t csr_add_64_64 "PICK(csr_add_64_64)"
    csr_add_t csr_add_32_32 "PICK(csr_add_32_32)"
    csr_add_t csr_add_32_64 "PICK(csr_add_32_64)"

ctypedef void (*lanes_t)(
    const void**, Py_ssize_t, Py_ssize_t, const double*, Py_ssize_t, double*
) noexcept nogil
ctypedef void (*csr_lanes_t)(
    const void*, const void*, Py_ssize_t, const double*, Py_ssize_t, double*
) noexcept nogil

cdef extern from "lanes.h":
    lanes_t dot_lanes_64 "PICK(dot_lanes_64)"
    lanes_t dot_lanes_32 "PICK(dot_lanes_32)"
    lanes_t add_lanes_64 "PICK(add_lanes_64)"
    lanes_t add_lanes_32 "PICK(add_lanes_32)"
    csr_lanes_t csr_dot_lanes_32_64 "PICK(csr_dot_lanes_32_64)"
    csr_lanes_t csr_dot_lanes_64_64 "PICK(csr_dot_lanes_64_64)"
    csr_lanes_t csr_dot_lanes_32_32 "PICK(csr_dot_lanes_32_32)"
    csr_lanes_t csr_dot_lanes_64_32 "PICK(csr_dot_lanes_64_32)"
    csr_lanes_t csr_add_lanes_32_64 "PICK(csr_add_lanes_32_64)"
    csr_lanes_t csr_add_lanes_64_64 "PICK(csr_add_lanes_64_64)"
    csr_lanes_t csr_add_lanes_32_32 "PICK(csr_add_lanes_32_32)"
    csr_lanes_t csr_add_lanes_64_32 "PICK(csr_add_lanes_64_32)"

cdef enum:
    # Bytes of a row that are prefetched: a longer row starts the hardware's own
    # prefetcher. In a pass, those asked for in advance.
    REACH = 4096


cdef inline void ask(const char* start, Py_ssize_t size, bint soon) noexcept nogil:
    cdef Py_ssize_t lines = (min(size, <Py_ssize_t>REACH) + LINE - 1) // LINE
    cdef Py_ssize_t line
    if soon:
        for line in range(lines):
            sgd_prefetch_soon(start + LINE * line)
    else:
        for line in range(lines):
            sgd_prefetch(start + LINE * line)


cdef class Rows:
    """n rows of d values, X, of which about ``stored`` a row are in memory.

    They may lie in a file that is ``mapped`` into memory, of which parts come and go.
    """

    cdef void dot(
        self, const Py_ssize_t* at, Py_ssize_t count, const double* w, double* f
    ) noexcept nogil:
        """f_k = x_i·w for the ``count`` rows i = at_k."""

    cdef void meet(
        self,
        const Py_ssize_t* at,
        Py_ssize_t count,
        const double* w,
        double* f,
        double* products,
    ) noexcept nogil:
        """``dot`` for up to four rows, and their products 01, 02, 12, 03, 13, 23.

        Here and in ``move`` w has room for a multiple of four coordinates, and f for
        four.
        """

    cdef void add(
        self,
        const Py_ssize_t* at,
        Py_ssize_t count,
        const double* c,
        double* g,
        bint onward,
    ) noexcept nogil:
        """g ← g + Σ_k c_k x_i, i = at_k; onward if the rows behind them come next."""

    cdef void move(
        self, const Py_ssize_t* at, Py_ssize_t count, double* u, double* w
    ) noexcept nogil:
        """``add`` for up to four rows; u has room for four."""

    cdef void shrink(
        self,
        Py_ssize_t i,
        double c,
        double* w,
        double a,
        double t,
        double least,
    ) noexcept nogil:
        """w ← a w + c x_i, then nearer to 0 by t, a negative one by −least
        if that is more."""

    cdef double norm(self, Py_ssize_t i, const double* scale) noexcept nogil:
        """Σ_j scale_j x_ij²."""
        return 0.0

    cdef void add_squares(self, Py_ssize_t i, double c, double* g) noexcept nogil:
        """g_j ← g_j + c x_ij²."""

    cdef void settle(
        self,
        const Py_ssize_t* at,
        Py_ssize_t count,
        double* w,
        double* paid,
        double total,
        double least,
        double* f,
    ) noexcept nogil:
        """``dot``, after the columns of these sparse rows have paid their debts
        (``debts.pyx``): w_j moves nearer to 0 by total − paid_j."""

    # Sparse rows can also be multiplied with vectors that have only the columns they
    # have in memory, under new numbers.

    cdef Py_ssize_t held(self, const Py_ssize_t* at, Py_ssize_t count) noexcept nogil:
        """How many values these rows have in memory."""
        return 0

    cdef void columns(
        self, const Py_ssize_t* at, Py_ssize_t count, long long* columns
    ) noexcept nogil:
        """Write the column of each value in memory, row after row."""

    cdef void dot_by(
        self,
        const Py_ssize_t* at,
        Py_ssize_t count,
        const long long* numbers,
        const double* w,
        double* f,
    ) noexcept nogil:
        """``dot``, where ``numbers`` are in the place of ``columns``."""

    cdef void add_by(
        self,
        const Py_ssize_t* at,
        Py_ssize_t count,
        const long long* numbers,
        const double* c,
        double* g,
    ) noexcept nogil:
        """``add``, where ``numbers`` are in the place of ``columns``."""

    cdef void prefetch(
        self, const Py_ssize_t* at, Py_ssize_t count, bint soon
    ) noexcept nogil:
        """Ask for rows ahead of their use, into the nearest cache if it is soon."""

    # For rows in a file.

    cdef void fetch(self, Py_ssize_t first, Py_ssize_t last) noexcept nogil:
        """Ask the system for these rows, and don't wait."""

    def expect_order(self, bint at_random):
        """Tell the system whether rows are read at random, or one after the other."""

    cdef void locate(self, const Py_ssize_t* at, Py_ssize_t count) noexcept nogil:
        """Ask for what ``prefetch`` of these rows will read."""

    # For K vectors side by side, W[j K + t] the j-th coordinate of the t-th.

    cdef void dot_lanes(
        self,
        const Py_ssize_t* at,
        Py_ssize_t count,
        const double* W,
        Py_ssize_t K,
        double* F,
    ) noexcept nogil:
        """F[k K + t] = x_i·w_t, i = at_k."""

    cdef void add_lanes(
        self,
        const Py_ssize_t* at,
        Py_ssize_t count,
        const double* C,
        Py_ssize_t K,
        double* W,
    ) noexcept nogil:
        """w_t ← w_t + Σ_k C[k K + t] x_i, i = at_k."""


cdef class DenseRows(Rows):
    """Rows of a C-ordered array."""

    cdef object owner
    cdef const char* start
    cdef Py_ssize_t bytes
    cdef dot_rows_t dot_rows
    cdef add_rows_t add_rows
    cdef meet4_t meet4
    cdef add4_t move4
    cdef shrink_t shrink1
    cdef dot_t norm1
    cdef add_t add_squares1
    cdef lanes_t dot_lanes1
    cdef lanes_t add_lanes1

    def __init__(self, X, bint mapped=False):
        cdef const double[:, ::1] view64
        cdef const float[:, ::1] view32
        self.owner = X
        self.mapped = mapped
        self.n, self.d = X.shape
        self.stored = self.d
        if X.dtype == "float64":
            view64 = X
            self.start = <const char*>&view64[0, 0]
            self.dot_rows, self.add_rows = dot_rows_64, add_rows_64
            self.meet4, self.move4 = meet4_64, move4_64
            self.norm1, self.add_squares1 = norm_64, add_squares_64
            self.shrink1 = shrink_64
            self.dot_lanes1, self.add_lanes1 = dot_lanes_64, add_lanes_64
        else:
            view32 = X
            self.start = <const char*>&view32[0, 0]
            self.dot_rows, self.add_rows = dot_rows_32, add_rows_32
            self.meet4, self.move4 = meet4_32, move4_32
            self.norm1, self.add_squares1 = norm_32, add_squares_32
            self.shrink1 = shrink_32
            self.dot_lanes1, self.add_lanes1 = dot_lanes_32, add_lanes_32
        self.bytes = X.itemsize * self.d

    cdef inline const void* row(self, Py_ssize_t i) noexcept nogil:
        return self.start + i * self.bytes

    cdef void dot(
        self, const Py_ssize_t* at, Py_ssize_t count, const double* w, double* f
    ) noexcept nogil:
        cdef const void* x[256]
        cdef Py_ssize_t first, some, k
        for first in range(0, count, 256):
            some = min(256, count - first)
            for k in range(some):
                x[k] = self.row(at[first + k])
            self.dot_rows(x, some, self.d, w, f + first)

    cdef void meet(
        self,
        const Py_ssize_t* at,
        Py_ssize_t count,
        const double* w,
        double* f,
        double* products,
    ) noexcept nogil:
        cdef const void* x[4]
        cdef Py_ssize_t r
        # Fewer than four are filled up with the first.
        for r in range(4):
            x[r] = self.row(at[r if r < count else 0])
        self.meet4(x, w, self.d, f, products)

    cdef void move(
        self, const Py_ssize_t* at, Py_ssize_t count, double* u, double* w
    ) noexcept nogil:
        cdef const void* x[4]
        cdef Py_ssize_t r
        for r in range(count, 4):
            u[r] = 0.0
        for r in range(4):
            x[r] = self.row(at[r if r < count else 0])
        self.move4(x, u, w, self.d)

    cdef void add(
        self,
        const Py_ssize_t* at,
        Py_ssize_t count,
        const double* c,
        double* g,
        bint onward,
    ) noexcept nogil:
        cdef const void* x[256]
        cdef Py_ssize_t first, some, k
        cdef Py_ssize_t ahead = 0
        if onward and self.bytes <= REACH:
            ahead = max(<Py_ssize_t>REACH, count * self.bytes)
        for first in range(0, count, 256):
            some = min(256, count - first)
            for k in range(some):
                x[k] = self.row(at[first + k])
            self.add_rows(x, some, self.d, c + first, g, ahead)

    cdef void shrink(
        self,
        Py_ssize_t i,
        double c,
        double* w,
        double a,
        double t,
        double least,
    ) noexcept nogil:
        self.shrink1(self.row(i), c, w, self.d, a, t, least)

    cdef double norm(self, Py_ssize_t i, const double* scale) noexcept nogil:
        return self.norm1(self.row(i), scale, self.d)

    cdef void add_squares(self, Py_ssize_t i, double c, double* g) noexcept nogil:
        self.add_squares1(self.row(i), c, g, self.d)

    cdef void prefetch(
        self, const Py_ssize_t* at, Py_ssize_t count, bint soon
    ) noexcept nogil:
        cdef Py_ssize_t k
        for k in range(count):
            ask(<const char*>self.row(at[k]), self.bytes, soon)

    cdef void fetch(self, Py_ssize_t first, Py_ssize_t last) noexcept nogil:
        sgd_fetch(self.row(first), (last - first) * self.bytes)

    def expect_order(self, bint at_random):
        sgd_expect_order(self.start, self.n * self.bytes, at_random)

    cdef void dot_lanes(
        self,
        const Py_ssize_t* at,
        Py_ssize_t count,
        const double* W,
        Py_ssize_t K,
        double* F,
    ) noexcept nogil:
        cdef const void* x[256]
        cdef Py_ssize_t first, some, k
        for first in range(0, count, 256):
            some = min(256, count - first)
            for k in range(some):
                x[k] = self.row(at[first + k])
            self.dot_lanes1(x, some, self.d, W, K, F + first * K)

    cdef void add_lanes(
        self,
        const Py_ssize_t* at,
        Py_ssize_t count,
        const double* C,
        Py_ssize_t K,
        double* W,
    ) noexcept nogil:
        cdef const void* x[256]
        cdef Py_ssize_t first, some, k
        for first in range(0, count, 256):
            some = min(256, count - first)
            for k in range(some):
                x[k] = self.row(at[first + k])
            self.add_lanes1(x, some, self.d, C + first * K, K, W)


cdef class CSRRows(Rows):
    """Rows of a CSR matrix whose indices were checked to lie inside it."""

    cdef object owner
    cdef const char* values
    cdef const char* indices
    cdef Py_ssize_t value_bytes
    cdef Py_ssize_t index_bytes
    cdef const int* start32
    cdef const long long* start64
    cdef csr_dot_t dot1
    cdef csr_add_t add1
    cdef csr_settle_t settle1
    cdef csr_lanes_t dot_lanes1
    cdef csr_lanes_t add_lanes1
    cdef csr_dot_t dot_by1
    cdef csr_add_t add_by1

    def __init__(self, X, bint mapped=False):
        cdef const double[::1] view64
        cdef const float[::1] view32
        cdef const int[::1] narrow
        cdef const long long[::1] wide
        self.owner = X
        self.mapped = mapped
        self.n, self.d = X.shape
        self.stored = X.nnz // max(1, self.n)
        self.sparse = True
        self.value_bytes = X.dtype.itemsize
        self.index_bytes = X.indices.dtype.itemsize
        self.start32 = NULL
        self.start64 = NULL
        self.values = self.indices = NULL
        if self.index_bytes == 4:
            narrow = X.indptr
            self.start32 = &narrow[0]
        else:
            wide = X.indptr
            self.start64 = &wide[0]
        if X.dtype == "float64" and self.index_bytes == 4:
            self.dot1, self.add1 = csr_dot_64_32, csr_add_64_32
            self.settle1 = csr_settle_64_32
            self.dot_lanes1 = csr_dot_lanes_32_64
            self.add_lanes1 = csr_add_lanes_32_64
        elif X.dtype == "float64":
            self.dot1, self.add1 = csr_dot_64_64, csr_add_64_64
            self.settle1 = csr_settle_64_64
            self.dot_lanes1 = csr_dot_lanes_64_64
            self.add_lanes1 = csr_add_lanes_64_64
        elif self.index_bytes == 4:
            self.dot1, self.add1 = csr_dot_32_32, csr_add_32_32
            self.settle1 = csr_settle_32_32
            self.dot_lanes1 = csr_dot_lanes_32_32
            self.add_lanes1 = csr_add_lanes_32_32
        else:
            self.dot1, self.add1 = csr_dot_32_64, csr_add_32_64
            self.settle1 = csr_settle_32_64
            self.dot_lanes1 = csr_dot_lanes_64_32
            self.add_lanes1 = csr_add_lanes_64_32
        if X.dtype == "float64":
            self.dot_by1, self.add_by1 = csr_dot_64_64, csr_add_64_64
        else:
            self.dot_by1, self.add_by1 = csr_dot_32_64, csr_add_32_64
        if X.nnz == 0:
            return
        if X.dtype == "float64":
            view64 = X.data
            self.values = <const char*>&view64[0]
        else:
            view32 = X.data
            self.values = <const char*>&view32[0]
        if self.index_bytes == 4:
            narrow = X.indices
            self.indices = <const char*>&narrow[0]
        else:
            wide = X.indices
            self.indices = <const char*>&wide[0]

    cdef inline Py_ssize_t start(self, Py_ssize_t i) noexcept nogil:
        return self.start32[i] if self.start32 != NULL else self.start64[i]

    cdef void dot(
        self, const Py_ssize_t* at, Py_ssize_t count, const double* w, double* f
    ) noexcept nogil:
        cdef Py_ssize_t k, first, size
        for k in range(count):
            first = self.start(at[k])
            size = self.start(at[k] + 1) - first
            f[k] = self.dot1(
                self.values + first * self.value_bytes,
                self.indices + first * self.index_bytes,
                size,
                w,
            )

    cdef void add(
        self,
        const Py_ssize_t* at,
        Py_ssize_t count,
        const double* c,
        double* g,
        bint onward,
    ) noexcept nogil:
        cdef Py_ssize_t k, first, size
        for k in range(count):
            first = self.start(at[k])
            size = self.start(at[k] + 1) - first
            self.add1(
                self.values + first * self.value_bytes,
                self.indices + first * self.index_bytes,
                size,
                c[k],
                g,
            )

    cdef void dot_lanes(
        self,
        const Py_ssize_t* at,
        Py_ssize_t count,
        const double* W,
        Py_ssize_t K,
        double* F,
    ) noexcept nogil:
        cdef Py_ssize_t k, first
        for k in range(count):
            first = self.start(at[k])
            self.dot_lanes1(
                self.values + first * self.value_bytes,
                self.indices + first * self.index_bytes,
                self.start(at[k] + 1) - first,
                W,
                K,
                F + k * K,
            )

    cdef void add_lanes(
        self,
        const Py_ssize_t* at,
        Py_ssize_t count,
        const double* C,
        Py_ssize_t K,
        double* W,
    ) noexcept nogil:
        cdef Py_ssize_t k, first
        for k in range(count):
            first = self.start(at[k])
            self.add_lanes1(
                self.values + first * self.value_bytes,
                self.indices + first * self.index_bytes,
                self.start(at[k] + 1) - first,
                C + k * K,
                K,
                W,
            )

    cdef void settle(
        self,
        const Py_ssize_t* at,
        Py_ssize_t count,
        double* w,
        double* paid,
        double total,
        double least,
        double* f,
    ) noexcept nogil:
        cdef Py_ssize_t k, first, size
        for k in range(count):
            first = self.start(at[k])
            size = self.start(at[k] + 1) - first
            f[k] = self.settle1(
                self.values + first * self.value_bytes,
                self.indices + first * self.index_bytes,
                size,
                w,
                paid,
                total,
                least,
            )

    cdef inline double value(self, Py_ssize_t k) noexcept nogil:
        if self.value_bytes == 8:
            return (<const double*>self.values)[k]
        return (<const float*>self.values)[k]

    cdef inline Py_ssize_t column(self, Py_ssize_t k) noexcept nogil:
        if self.index_bytes == 4:
            return (<const int*>self.indices)[k]
        return (<const long long*>self.indices)[k]

    cdef double norm(self, Py_ssize_t i, const double* scale) noexcept nogil:
        cdef double total = 0.0
        cdef Py_ssize_t k
        for k in range(self.start(i), self.start(i + 1)):
            total += scale[self.column(k)] * self.value(k) ** 2
        return total

    cdef void add_squares(self, Py_ssize_t i, double c, double* g) noexcept nogil:
        cdef Py_ssize_t k
        for k in range(self.start(i), self.start(i + 1)):
            g[self.column(k)] += c * self.value(k) ** 2

    cdef Py_ssize_t held(self, const Py_ssize_t* at, Py_ssize_t count) noexcept nogil:
        cdef Py_ssize_t total = 0
        cdef Py_ssize_t k
        for k in range(count):
            total += self.start(at[k] + 1) - self.start(at[k])
        return total

    cdef void columns(
        self, const Py_ssize_t* at, Py_ssize_t count, long long* columns
    ) noexcept nogil:
        cdef Py_ssize_t k, p
        cdef Py_ssize_t done = 0
        for k in range(count):
            for p in range(self.start(at[k]), self.start(at[k] + 1)):
                columns[done] = self.column(p)
                done += 1

    cdef void dot_by(
        self,
        const Py_ssize_t* at,
        Py_ssize_t count,
        const long long* numbers,
        const double* w,
        double* f,
    ) noexcept nogil:
        cdef Py_ssize_t k, first, size
        for k in range(count):
            first = self.start(at[k])
            size = self.start(at[k] + 1) - first
            f[k] = self.dot_by1(
                self.values + first * self.value_bytes, numbers, size, w
            )
            numbers += size

    cdef void add_by(
        self,
        const Py_ssize_t* at,
        Py_ssize_t count,
        const long long* numbers,
        const double* c,
        double* g,
    ) noexcept nogil:
        cdef Py_ssize_t k, first, size
        for k in range(count):
            first = self.start(at[k])
            size = self.start(at[k] + 1) - first
            self.add_by1(
                self.values + first * self.value_bytes, numbers, size, c[k], g
            )
            numbers += size

    cdef void prefetch(
        self, const Py_ssize_t* at, Py_ssize_t count, bint soon
    ) noexcept nogil:
        cdef Py_ssize_t k, first, size
        for k in range(count):
            first = self.start(at[k])
            size = self.start(at[k] + 1) - first
            ask(self.values + first * self.value_bytes, size * self.value_bytes, soon)
            ask(self.indices + first * self.index_bytes, size * self.index_bytes, soon)

    cdef void fetch(self, Py_ssize_t first, Py_ssize_t last) noexcept nogil:
        cdef Py_ssize_t begin = self.start(first)
        cdef Py_ssize_t size = self.start(last) - begin
        sgd_fetch(self.values + begin * self.value_bytes, size * self.value_bytes)
        sgd_fetch(self.indices + begin * self.index_bytes, size * self.index_bytes)

    def expect_order(self, bint at_random):
        cdef Py_ssize_t size = self.start(self.n)
        sgd_expect_order(self.values, size * self.value_bytes, at_random)
        sgd_expect_order(self.indices, size * self.index_bytes, at_random)

    cdef void locate(self, const Py_ssize_t* at, Py_ssize_t count) noexcept nogil:
        cdef Py_ssize_t k
        if self.start32 != NULL:
            for k in range(count):
                sgd_prefetch(self.start32 + at[k])
                sgd_prefetch(self.start32 + at[k] + 1)
        else:
            for k in range(count):
                sgd_prefetch(self.start64 + at[k])
                sgd_prefetch(self.start64 + at[k] + 1)
