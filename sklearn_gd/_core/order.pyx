# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False
"""The order in which an epoch visits the rows.

A uniform permutation of rows in main memory waits for memory at every row. The *tile
shuffle* doesn't: the rows are cut into tiles of 16 that lie together, the tiles are put
in random order, and the rows are shuffled within each group of 200 tiles, or of 50 if
rows are long. While one group is visited, the tiles of the next are asked for in the
order in which they lie, and before that, where they lie.

An epoch then lowers F as much as with a uniform permutation, also on sorted rows
(``tests/test_order.py``). Where all rows are one group, and where X is small, that is
a uniform permutation.

A large X may lie in a file, of which tiles are too small a piece to be read: there
larger *blocks* are put in random order, and the tiles of so many blocks as fit in
memory are mixed. The blocks of the next mixture are asked for meanwhile.
"""

import numpy as np

cdef enum:
    TILE = 16
    GROUP = 200  # tiles, at most
    LEAST = 50  # tiles, of long rows
    # Values of X, below which the whole of it stays in cache: 1 MB of float64.
    SMALL = 1 << 17
    # Values of a group that has fewer tiles for it: two groups are in cache together.
    ROOM = 1 << 16
    # Values of a row, above which a group ahead of its use drives out what is in use.
    LONG = 40
    # Rows that are asked for ahead within a group.
    AHEAD = 8
    # Values of X, from which on it is read in blocks: 512 MB of float64.
    LARGE = 1 << 26
    # Values of a block, 256 kB of float64, and the blocks that are mixed.
    BLOCK = 1 << 15
    MIXED = 512
    # Rows with less than one value in so many in memory are not asked for in blocks.
    SPARSE = 8
    # Blocks that are asked for before the mixture that they belong to is the next.
    EARLY = 8


cdef inline uint64_t mix(uint64_t z) noexcept nogil:
    """The finaliser of SplitMix64 (Steele, Lea and Flood 2014)."""
    z = (z ^ (z >> 30)) * <uint64_t>0xBF58476D1CE4E5B9
    z = (z ^ (z >> 27)) * <uint64_t>0x94D049BB133111EB
    return z ^ (z >> 31)


cdef inline void permute(
    Py_ssize_t* items, Py_ssize_t count, uint64_t* state
) noexcept nogil:
    """Shuffle (Fisher and Yates), with SplitMix64; uniform to 2⁻³² count."""
    cdef uint64_t z = state[0]
    cdef Py_ssize_t i, k, item
    for i in range(count - 1, 0, -1):
        z += <uint64_t>0x9E3779B97F4A7C15
        k = ((mix(z) >> 32) * <uint64_t>(i + 1)) >> 32
        item = items[i]
        items[i] = items[k]
        items[k] = item
    state[0] = z


cdef class Order:
    """Random orders of n rows of d values, one an epoch.

    Depends on n, d, seed and epoch alone: dense and CSR rows of any dtype are visited
    in the same order.

    Parameters
    ----------
    n, d : int
    kept : ndarray of int of shape (n,), default=None
        The numbers of the rows; None is 0 to n − 1.
    shuffle : bool, default=True
        If False, the rows are visited as they are given.
    stored : int, default=None
        Values that a row has in memory, which only matters for speed; None is d.
    large, block, mixed : int
        Values of X from which on there are blocks, values of a block, and how many are
        mixed.

    Attributes
    ----------
    in_blocks : bool
        Whether rows are to be asked for in blocks, ahead of their use. Those of sparse
        rows are too small for that, as they have the rows that dense ones have.
    """

    def __init__(
        self,
        Py_ssize_t n,
        Py_ssize_t d,
        kept=None,
        bint shuffle=True,
        stored=None,
        *,
        Py_ssize_t large=LARGE,
        Py_ssize_t block=BLOCK,
        Py_ssize_t mixed=MIXED,
    ):
        cdef Py_ssize_t tiles = (n + TILE - 1) // TILE
        if stored is None:
            stored = d
        self.n = self.limit = n
        self.kept = kept
        if kept is not None:
            if len(kept) != n or (n and np.min(kept) < 0):
                raise ValueError("kept must be n row numbers.")
            self.limit = np.max(kept) + 1 if n else 0
        self.shuffle = shuffle
        self.group_tiles = min(GROUP, max(LEAST, ROOM // (TILE * max(1, d))))
        self.group_tiles = max(1, min(tiles, self.group_tiles))
        if shuffle and n * d < SMALL:
            self.group_tiles = max(1, tiles)
        self.near = stored <= LONG or n * d < SMALL
        # Sections with as many values as w, each coordinate of which may take time.
        self.least = d // max(1, stored)
        self.tiles = np.arange(tiles)
        # All tiles are one block, and the only one that is mixed, where X is not large.
        self.block_tiles, self.mixed = max(1, tiles), 1
        if shuffle and n * d >= large:
            self.block_tiles, self.mixed = max(1, block // (TILE * max(1, d))), mixed
        self.blocks = np.arange((tiles + self.block_tiles - 1) // self.block_tiles)
        self.in_blocks = self.blocks.shape[0] > 1 and SPARSE * stored >= d
        self.room = np.empty((2, self.group_tiles * TILE), dtype=np.intp)
        self.group, self.coming = &self.room[0, 0], &self.room[1, 0]
        self.begin()

    def begin(self, seed=0, epoch=0):
        """Start the order of an epoch."""
        self.state = mix(<uint64_t>(<long long>seed)) + <uint64_t>(<long long>epoch)
        self.state = mix(self.state)
        if self.shuffle:
            self.shuffle_tiles()
        self.next_tile = self.asked = 0
        self.section, self.done = self.n, 0
        self.recording = self.replaying = False
        self.load()
        self.shift()

    def open(self, Py_ssize_t batch, bint whole):
        """Begin the next section of the epoch: rows that may be visited several times,
        after a ``rewind`` each. Returns False when there are none left.

        Parameters
        ----------
        batch : int
            A section is a multiple of so many rows, but for the last one.
        whole : bool
            Whether all rows are one section, which can be visited once.
        """
        if self.position == self.size and self.coming_size == 0:
            return False
        self.section = self.n
        if not whole:
            self.section = max(self.group_tiles * TILE, self.least)
            self.section = (self.section + batch - 1) // batch * batch
            self.section = max(batch, min(self.section, self.n))
            if self.record is None or self.record.shape[0] < self.section:
                self.record = np.empty(self.section, dtype=np.intp)
        self.recording = not whole
        self.replaying = False
        self.done = -1
        return True

    def rewind(self):
        """Go to the first row of the section."""
        if self.done >= 0:
            if not self.recording:
                raise ValueError("A whole epoch is visited only once.")
            if not self.replaying:
                self.section = self.done
            self.replaying = True
        self.done = 0

    def asks(self):
        """Return the first rows of the blocks that are worth asking for now, and the
        rows after their last ones."""
        cdef Py_ssize_t first, last
        found = []
        while self.ask(&first, &last):
            found.append((first, last))
        return found

    def left(self):
        """Return what is left of the epoch's order, as an array."""
        cdef Py_ssize_t[::1] at = np.empty(self.n, dtype=np.intp)
        cdef Ahead ahead
        cdef Py_ssize_t count = 0
        cdef Py_ssize_t more, k
        while True:
            more = self.take(self.n, &ahead)
            if more == 0:
                return np.asarray(at)[:count]
            for k in range(more):
                at[count + k] = ahead.at[k]
            count += more

    cdef void shuffle_tiles(self) noexcept nogil:
        """Put the blocks in random order, and mix the tiles of some after the other."""
        cdef Py_ssize_t count = self.blocks.shape[0]
        cdef Py_ssize_t i, b, first, t
        cdef Py_ssize_t size = 0, done = 0
        # From the sorted ones, so that an epoch does not depend on the last one.
        for i in range(count):
            self.blocks[i] = i
        if count > 1:
            permute(&self.blocks[0], count, &self.state)
        for b in range(count):
            first = self.blocks[b] * self.block_tiles
            for t in range(first, min(first + self.block_tiles, self.tiles.shape[0])):
                self.tiles[size] = t
                size += 1
            if (b + 1) % self.mixed == 0 or b + 1 == count:
                permute(&self.tiles[done], size - done, &self.state)
                done = size

    cdef bint ask(self, Py_ssize_t* first, Py_ssize_t* last) noexcept nogil:
        """Find the rows of the next block that is worth asking for, if there is one.

        A block is asked for when one is done with, of which it takes the place.
        """
        cdef Py_ssize_t done = self.next_tile // self.block_tiles
        cdef Py_ssize_t count = self.blocks.shape[0]
        if not self.in_blocks or self.asked >= min(count, done + self.mixed + EARLY):
            return False
        first[0] = self.blocks[self.asked] * self.block_tiles * TILE
        last[0] = min(first[0] + self.block_tiles * TILE, self.n)
        self.asked += 1
        if self.kept is not None:
            # What lies between the rows that count is asked for, too.
            last[0] = min(
                self.kept[last[0] - 1] + 1,
                self.kept[first[0]] + 2 * self.block_tiles * TILE,
            )
            first[0] = self.kept[first[0]]
        return True

    cdef void load(self) noexcept nogil:
        """Write the rows of the next group to ``coming``, as they lie."""
        cdef Py_ssize_t last = min(
            self.next_tile + self.group_tiles, self.tiles.shape[0]
        )
        cdef Py_ssize_t t, p, first
        self.coming_size = 0
        for t in range(self.next_tile, last):
            first = TILE * self.tiles[t]
            for p in range(first, min(first + TILE, self.n)):
                self.coming[self.coming_size] = (
                    p if self.kept is None else self.kept[p]
                )
                self.coming_size += 1
        self.next_tile = last

    cdef void shift(self) noexcept nogil:
        """Make the coming group the present one, and shuffle it."""
        self.group, self.coming = self.coming, self.group
        self.size = self.coming_size
        self.position = 0
        if self.shuffle:
            permute(self.group, self.size, &self.state)
        self.load()

    cdef Py_ssize_t take(self, Py_ssize_t need, Ahead* ahead) noexcept nogil:
        """Point ``ahead`` to the next rows and to those worth asking for meanwhile.

        Returns how many rows: fewer than ``need`` at the end of a group, and 0 only at
        that of the section.
        """
        cdef Py_ssize_t first, k
        cdef Py_ssize_t count = min(need, self.section - self.done)
        ahead.next_count = ahead.near_count = ahead.far_count = 0
        if self.replaying:
            if count > 0:
                ahead.at = &self.record[self.done]
            self.done += count
            return count
        if self.position == self.size and self.coming_size > 0 and count > 0:
            self.shift()
        first = self.position
        count = min(count, self.size - first)
        ahead.at = self.group + first
        ahead.next = ahead.at + AHEAD
        ahead.next_count = max(0, min(count, self.size - first - AHEAD))
        ahead.far = self.coming + first + TILE
        ahead.far_count = max(0, min(count, self.coming_size - first - TILE))
        if self.near:
            ahead.near = self.coming + first
            ahead.near_count = max(0, min(count, self.coming_size - first))
        if self.recording:
            for k in range(count):
                self.record[self.done + k] = ahead.at[k]
        self.position += count
        self.done += count
        return count
