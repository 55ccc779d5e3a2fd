# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Rows of X: the only code that knows how a row lies in memory.

A row offers its product with a vector and its addition to one. Values are float32 or
float64 and, in CSR, indices 32 or 64 bits wide; all sums are float64. Virtual methods
can't be fused, so each class picks the fused inline function by a branch that the
processor predicts; measured, one virtual call a row costs nothing from 5 columns on.
"""

from cython cimport floating

cdef extern from *:
    """
    #if defined(__GNUC__)
    #define sgd_prefetch(p) __builtin_prefetch(p)
    #else
    #define sgd_prefetch(p)
    #endif
    """
    void sgd_prefetch(const void* p) noexcept nogil

ctypedef fused index_t:
    int
    long long

# Bytes of a row that are prefetched: a longer row starts the hardware's own prefetcher.
cdef enum:
    LINE = 64
    REACH = 512


cdef class Rows:
    """n rows of d values, X."""

    cdef double dot(self, Py_ssize_t i, const double* w) noexcept nogil:
        """x_i · w."""
        return 0.0

    cdef void add(self, Py_ssize_t i, double c, double* g) noexcept nogil:
        """g ← g + c x_i."""

    cdef void prefetch(self, Py_ssize_t i) noexcept nogil:
        """Ask for row i ahead of its use."""


cdef inline double dense_dot(
    const floating* x, const double* w, Py_ssize_t d
) noexcept nogil:
    cdef double total = 0.0
    cdef Py_ssize_t j
    for j in range(d):
        total += x[j] * w[j]
    return total


cdef inline void dense_add(
    const floating* x, double c, double* g, Py_ssize_t d
) noexcept nogil:
    cdef Py_ssize_t j
    for j in range(d):
        g[j] += c * x[j]


cdef class DenseRows(Rows):
    """Rows of a C-ordered array."""

    cdef object owner
    cdef const double* x64
    cdef const float* x32

    def __init__(self, X):
        cdef const double[:, ::1] view64
        cdef const float[:, ::1] view32
        self.owner = X
        self.n, self.d = X.shape
        self.x64 = NULL
        self.x32 = NULL
        if X.dtype == "float64":
            view64 = X
            self.x64 = &view64[0, 0]
        else:
            view32 = X
            self.x32 = &view32[0, 0]

    cdef double dot(self, Py_ssize_t i, const double* w) noexcept nogil:
        if self.x64 != NULL:
            return dense_dot(self.x64 + i * self.d, w, self.d)
        return dense_dot(self.x32 + i * self.d, w, self.d)

    cdef void add(self, Py_ssize_t i, double c, double* g) noexcept nogil:
        if self.x64 != NULL:
            dense_add(self.x64 + i * self.d, c, g, self.d)
        else:
            dense_add(self.x32 + i * self.d, c, g, self.d)

    cdef void prefetch(self, Py_ssize_t i) noexcept nogil:
        cdef Py_ssize_t width = 8 if self.x64 != NULL else 4
        cdef Py_ssize_t size = min(self.d * width, <Py_ssize_t>REACH)
        cdef const char* row
        cdef Py_ssize_t byte = 0
        if self.x64 != NULL:
            row = <const char*>(self.x64 + i * self.d)
        else:
            row = <const char*>(self.x32 + i * self.d)
        while byte < size:
            sgd_prefetch(row + byte)
            byte += LINE


cdef inline double csr_dot(
    const floating* x, const index_t* at, Py_ssize_t size, const double* w
) noexcept nogil:
    cdef double total = 0.0
    cdef Py_ssize_t k
    for k in range(size):
        total += x[k] * w[at[k]]
    return total


cdef inline void csr_add(
    const floating* x, const index_t* at, Py_ssize_t size, double c, double* g
) noexcept nogil:
    cdef Py_ssize_t k
    for k in range(size):
        g[at[k]] += c * x[k]


cdef class CSRRows(Rows):
    """Rows of a CSR matrix whose indices were checked to lie inside it."""

    cdef object owner
    cdef const double* x64
    cdef const float* x32
    cdef const int* at32
    cdef const long long* at64
    cdef const int* start32
    cdef const long long* start64

    def __init__(self, X):
        cdef const double[::1] view64
        cdef const float[::1] view32
        cdef const int[::1] narrow
        cdef const long long[::1] wide
        self.owner = X
        self.n, self.d = X.shape
        self.sparse = True
        self.x64 = NULL
        self.x32 = NULL
        self.at32 = self.start32 = NULL
        self.at64 = self.start64 = NULL
        if X.indices.dtype == "int32":
            narrow = X.indptr
            self.start32 = &narrow[0]
        else:
            wide = X.indptr
            self.start64 = &wide[0]
        if X.nnz == 0:
            return
        if X.dtype == "float64":
            view64 = X.data
            self.x64 = &view64[0]
        else:
            view32 = X.data
            self.x32 = &view32[0]
        if X.indices.dtype == "int32":
            narrow = X.indices
            self.at32 = &narrow[0]
        else:
            wide = X.indices
            self.at64 = &wide[0]

    cdef inline Py_ssize_t start(self, Py_ssize_t i) noexcept nogil:
        return self.start32[i] if self.start32 != NULL else self.start64[i]

    cdef double dot(self, Py_ssize_t i, const double* w) noexcept nogil:
        cdef Py_ssize_t k = self.start(i)
        cdef Py_ssize_t size = self.start(i + 1) - k
        if size == 0:
            return 0.0
        if self.x64 != NULL:
            if self.at32 != NULL:
                return csr_dot(self.x64 + k, self.at32 + k, size, w)
            return csr_dot(self.x64 + k, self.at64 + k, size, w)
        if self.at32 != NULL:
            return csr_dot(self.x32 + k, self.at32 + k, size, w)
        return csr_dot(self.x32 + k, self.at64 + k, size, w)

    cdef void add(self, Py_ssize_t i, double c, double* g) noexcept nogil:
        cdef Py_ssize_t k = self.start(i)
        cdef Py_ssize_t size = self.start(i + 1) - k
        if size == 0:
            return
        if self.x64 != NULL:
            if self.at32 != NULL:
                csr_add(self.x64 + k, self.at32 + k, size, c, g)
            else:
                csr_add(self.x64 + k, self.at64 + k, size, c, g)
        elif self.at32 != NULL:
            csr_add(self.x32 + k, self.at32 + k, size, c, g)
        else:
            csr_add(self.x32 + k, self.at64 + k, size, c, g)

    cdef void prefetch(self, Py_ssize_t i) noexcept nogil:
        cdef Py_ssize_t k = self.start(i)
        if self.x64 != NULL:
            sgd_prefetch(self.x64 + k)
        elif self.x32 != NULL:
            sgd_prefetch(self.x32 + k)
        if self.at32 != NULL:
            sgd_prefetch(self.at32 + k)
        elif self.at64 != NULL:
            sgd_prefetch(self.at64 + k)
