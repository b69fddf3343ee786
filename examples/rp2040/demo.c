/* SPDX-License-Identifier: Apache-2.0 */

#include "demo.h"

bool demo_begin(popspike_device *device, popspike_error *error)
{
    popspike_identity identity;
    *error = popspike_identify(device, &identity);
    if (*error != POPSPIKE_OK || identity.design_hash != demo_design_hash) {
        return false;
    }
    popspike_status status;
    *error = popspike_read_status(device, &status);
    if (*error != POPSPIKE_OK) {
        return false;
    }
    /* 0 without a network. */
    if (status.fingerprint != popspike_field(demo_image, POPSPIKE_IMAGE_HEADER_FINGERPRINT)) {
        const popspike_image image = {.length = demo_image_bytes, .bytes = demo_image};
        *error = popspike_load(device, &image);
    }
    return *error == POPSPIKE_OK;
}

popspike_error demo_classify(popspike_device *device, uint16_t sample, popspike_result *result)
{
    static uint8_t answer[POPSPIKE_RESULT_SIZE(DEMO_MOST_CLASSES)];
    const uint8_t *values = demo_samples + (size_t)sample * demo_sample_bytes;
    return popspike_classify(device, values, demo_sample_bytes, answer, sizeof answer, result);
}
