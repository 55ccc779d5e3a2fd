/* What the system is told of a file that is mapped into memory. It is advice: where
   there is no such call, or it fails, rows are read all the same.

   sgd_fetch          a part is needed soon; it doesn't wait
   sgd_expect_order   parts are read at random, or one after the other as by default */

#ifndef SGD_FILES_H
#define SGD_FILES_H

#include <stddef.h>
#include <stdint.h>

#if defined(__unix__) || defined(__APPLE__)
#include <sys/mman.h>
#include <unistd.h>

/* Linux reads no more at one call than it reads ahead, which is 128 kB or more. */
enum { SGD_PIECE = 1 << 17 };

static inline void sgd_advise(const void *start, ptrdiff_t size, size_t most, int what)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t at = (uintptr_t)start / page * page;
    uintptr_t end = (uintptr_t)start + (uintptr_t)size;
    while (at < end) {
        size_t piece = end - at < most ? end - at : most;
        (void)posix_madvise((void *)at, piece, what);
        at += piece;
    }
}

static inline void sgd_fetch(const void *start, ptrdiff_t size)
{
    sgd_advise(start, size, SGD_PIECE, POSIX_MADV_WILLNEED);
}

static inline void sgd_expect_order(const void *start, ptrdiff_t size, int at_random)
{
    int what = at_random ? POSIX_MADV_RANDOM : POSIX_MADV_NORMAL;
    sgd_advise(start, size, SIZE_MAX, what);
}
#else
static inline void sgd_fetch(const void *start, ptrdiff_t size)
{
    (void)start;
    (void)size;
}

static inline void sgd_expect_order(const void *start, ptrdiff_t size, int at_random)
{
    (void)start;
    (void)size;
    (void)at_random;
}
#endif

#endif
