from libc.stdint cimport uint64_t


cdef struct Ahead:
    # The rows taken.
    const Py_ssize_t* at
    # Rows worth asking for now: those next in the order, those of the next group, and
    # those of which it is time to ask where they lie.
    const Py_ssize_t* next
    const Py_ssize_t* near
    const Py_ssize_t* far
    Py_ssize_t next_count, near_count, far_count


cdef class Order:
    cdef readonly Py_ssize_t n
    cdef readonly Py_ssize_t limit
    cdef const Py_ssize_t[::1] kept
    cdef bint shuffle
    cdef bint near
    cdef Py_ssize_t[::1] tiles
    cdef Py_ssize_t[::1] blocks
    cdef Py_ssize_t block_tiles, mixed, asked
    cdef readonly bint in_blocks
    cdef Py_ssize_t[:, ::1] room
    cdef Py_ssize_t* group
    cdef Py_ssize_t* coming
    cdef Py_ssize_t group_tiles
    cdef Py_ssize_t least
    cdef Py_ssize_t next_tile
    cdef Py_ssize_t size, position, coming_size
    cdef uint64_t state
    cdef Py_ssize_t[::1] record
    cdef Py_ssize_t section, done
    cdef bint recording, replaying
    cdef Py_ssize_t take(self, Py_ssize_t need, Ahead* ahead) noexcept nogil
    cdef bint ask(self, Py_ssize_t* first, Py_ssize_t* last) noexcept nogil
    cdef void shuffle_tiles(self) noexcept nogil
    cdef void load(self) noexcept nogil
    cdef void shift(self) noexcept nogil
