/* Discrete Fourier transforms in double, any length.
 *
 * Powers of two by radix 2; other lengths by Bluestein's chirp-z algorithm (1970) on a power of two.  Twiddles
 * come from sin and cos at exact multiples of the angle, so the error stays near n_log2 * 2^-53. */
#ifndef OX_SIGNAL_FFT_H
#define OX_SIGNAL_FFT_H

#include <stdbool.h>
#include <stddef.h>

/* Doubles of workspace that a transform of length n needs; SIZE_MAX on overflow. */
size_t ox_fft_work(size_t n);

/* x: n complex numbers (re, im), transformed in place; sign -1 forward, +1 inverse (not divided by n). */
void ox_fft(double *x, size_t n, int sign, double *work);

/* The same in single precision for lengths of small factors (fits); work: 2 n floats.  See fft32.c. */
bool ox_fft32_fits(size_t n);
void ox_fft32(float *x, size_t n, int sign, float *work);

#endif
