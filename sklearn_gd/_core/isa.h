/* The two instruction sets that loops are compiled for, any processor's and AVX2 with
   FMA; `have_avx2` tells them apart when the module is imported, so that a wheel runs on
   both. */

#ifndef SGD_ISA_H
#define SGD_ISA_H

#if defined(__GNUC__)
#define sgd_prefetch(p) __builtin_prefetch(p, 0, 2)
#define sgd_prefetch_soon(p) __builtin_prefetch(p, 0, 3)
#else
#define sgd_prefetch(p)
#define sgd_prefetch_soon(p)
#endif

#if defined(__GNUC__) && defined(__x86_64__)
#define AVX2 __attribute__((target("avx2,fma")))
static inline int have_avx2(void)
{
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}
#define PICK(f) (have_avx2() ? f##_avx2 : f)
#else
#define have_avx2() 0
#define PICK(f) (f)
#endif

#endif
