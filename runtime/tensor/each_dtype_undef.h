/* Ends one pass of each_dtype.h. */
#undef T
#undef C
#undef A
#undef W
#undef SFX
#undef DT
#undef LD
#undef ST
#undef IS_FLOAT
#undef IS_SIGNED
#undef BITS
