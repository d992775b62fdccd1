/* Private to kernels/conv: a band of the input, copied with its padding so that every tap of every
 * output pixel of a block is a plain offset.
 *
 * A band holds, for each of its channels and each of the kernel's planes (3-D), the rows that a
 * block of output rows needs.  A row is split by column modulo the stride into phases: the columns
 * that one tap meets are then contiguous for any stride. */
#ifndef OX_CONV_BAND_H
#define OX_CONV_BAND_H

#include "kernels/conv/algo.h"

typedef struct ox_band {
    size_t rows, phases, width; /* of one plane; width elements a phase */
    size_t step;                /* from one output row to the next: stride * phases * width */
    size_t channel;             /* elements of a channel: all its planes */
} ox_band;

/* The band for bh rows of bw columns, with `slack` more readable columns; false: overflow. */
bool ox_band_fit(const ox_conv_plan *p, size_t bh, size_t bw, size_t slack, ox_band *b);

/* off[(kz * k[1] + ky) * k[2] + kx]: where that tap's element of output (0, 0) lies in a
 * channel. */
void ox_band_offsets(const ox_conv_plan *p, const ox_band *b, int32_t *off);

/* Copies the band of output plane z, rows y0.., columns x0.. of one channel to `to`. */
void ox_band_load(const ox_conv_plan *p, const ox_band *b, const void *channel, size_t z, size_t y0,
                  size_t x0, void *to);

#endif
