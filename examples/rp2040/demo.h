/* SPDX-License-Identifier: Apache-2.0 */
/* What the demo does with a board; knows no microcontroller. */

#ifndef DEMO_H
#define DEMO_H

#include "popspike.h"

/* Images and answers of data.c, which make_data.py writes. */
extern const uint32_t demo_design_hash;
extern const uint8_t demo_image[];
extern const uint32_t demo_image_bytes;
extern const uint8_t demo_samples[];
extern const uint16_t demo_sample_bytes;
extern const uint16_t demo_classes[];
extern const uint16_t demo_count;

/* Room for the answer of as many classes. */
#define DEMO_MOST_CLASSES 32u

/* Find the board and make the demo's network the active one, unless it is already; false if the
   board's design is another one than the image was made for, or the driver gives an error. */
bool demo_begin(popspike_device *device, popspike_error *error);

/* Classify a sample of data.c. */
popspike_error demo_classify(popspike_device *device, uint16_t sample, popspike_result *result);

#endif
