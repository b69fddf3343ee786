/* SPDX-License-Identifier: Apache-2.0 */
/* Requests and replies of the driver: between popspike_frames.c and popspike.c only. */

#ifndef POPSPIKE_FRAMES_H
#define POPSPIKE_FRAMES_H

#include "popspike.h"

/* Any reply will do. */
#define POPSPIKE_ANY_TYPE 0u

/* Put a number into bytes, the lowest first. */
void popspike_store(uint8_t *bytes, uint32_t number, unsigned count);

/* Fill in a request: a number of so many bytes, and what follows. No body of the reply is kept. */
void popspike_prepare(popspike_device *device, uint8_t type, uint32_t number, uint8_t number_size,
                      const uint8_t *body, uint16_t body_size);

/* Ask until there is an answer, and see that it is of the type. */
popspike_error popspike_exchange(popspike_device *device, uint8_t type);

/* Describe the result that came to the caller; false if it is none. */
bool popspike_read_result(const popspike_device *device);

#endif
