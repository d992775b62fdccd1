/* Causes in Resize. */
#include "verify/explain.h"

#include <math.h>
#include <string.h>

void ox_cause_coordinates(ox_probe *p)
{
    static const char *const word[] = { "half_pixel", "pytorch_half_pixel", "align_corners",
                                        "asymmetric", "half_pixel_symmetric" };
    for (int i = 0; i < 5; i++)
        ox_probe_with_word(p, "coordinate_transformation_mode", word[i]);
}

void ox_cause_nearest(ox_probe *p)
{
    static const char *const word[] = { "round_prefer_floor", "round_prefer_ceil", "floor",
                                        "ceil" };
    for (int i = 0; i < 4; i++)
        ox_probe_with_word(p, "nearest_mode", word[i]);
}

void ox_cause_cubic(ox_probe *p)
{
    ox_probe_with_float(p, "cubic_coeff_a", -0.5);
    ox_probe_with_float(p, "cubic_coeff_a", -0.75);
    ox_probe_toggle(p, "exclude_outside");
    ox_probe_toggle(p, "antialias");
}
