/* SPDX-License-Identifier: Apache-2.0 */
/* See popspike.h. */

#include "popspike_frames.h"

/* Of an image, up to the end of the fingerprint. */
#define IMAGE_START_BYTES 16u
/* Events of a sample in a frame. */
#define EVENTS_OF_PART \
    ((POPSPIKE_LEAST_BODY_LIMIT - POPSPIKE_SAMPLE_DATA_BYTES) / POPSPIKE_EVENT_ENTRY_BYTES)

/* A request that is only acknowledged. */
static popspike_error command(popspike_device *device, uint8_t type, uint32_t number,
                              uint8_t number_size, const uint8_t *body, uint16_t body_size)
{
    popspike_prepare(device, type, number, number_size, body, body_size);
    return popspike_exchange(device, POPSPIKE_FRAME_TYPE_DONE);
}

void popspike_init(popspike_device *device, const popspike_transport *transport, void *context)
{
    device->timeout_ms = 1000;
    device->retries = 4;
    device->on_running = NULL;
    device->transport = transport;
    device->context = context;
    /* Another start in each session: a late reply to an earlier one is not taken for ours. */
    device->sequence = (uint8_t)transport->milliseconds(context);
    device->reason = 0;
    device->detail = 0;
}

popspike_error popspike_read(popspike_device *device, uint8_t address, uint32_t *words,
                             uint8_t count)
{
    uint8_t *bytes = (uint8_t *)words;
    const uint32_t what = (uint32_t)address | (uint32_t)count << 8;
    popspike_prepare(device, POPSPIKE_FRAME_TYPE_READ, what, POPSPIKE_READ_REQUEST_BYTES, NULL, 0);
    device->answer = bytes;
    device->room = (uint16_t)(count * 4u);
    const popspike_error error =
        count > 0u ? popspike_exchange(device, POPSPIKE_FRAME_TYPE_WORDS) : POPSPIKE_ARGUMENT;
    if (error != POPSPIKE_OK) {
        return error;
    }
    if (device->size != device->room) {
        return POPSPIKE_REPLY;
    }
    for (unsigned k = 0; k < count; ++k) {
        words[k] = popspike_field(bytes + 4u * k, 0, 32);
    }
    return POPSPIKE_OK;
}

popspike_error popspike_write(popspike_device *device, uint8_t address, uint32_t value)
{
    uint8_t bytes[4];
    popspike_store(bytes, value, sizeof bytes);
    /* Not as a command(): the way down from popspike_boot() is the deepest. */
    popspike_prepare(device, POPSPIKE_FRAME_TYPE_WRITE, address, 1, bytes, sizeof bytes);
    return popspike_exchange(device, POPSPIKE_FRAME_TYPE_DONE);
}

popspike_error popspike_probe(popspike_device *device, const uint8_t *bytes, uint16_t count)
{
    if (count > POPSPIKE_LEAST_BODY_LIMIT) {
        return POPSPIKE_ARGUMENT;
    }
    return command(device, POPSPIKE_FRAME_TYPE_PROBE, 0, 0, bytes, count);
}

popspike_error popspike_identify(popspike_device *device, popspike_identity *identity)
{
    uint32_t words[POPSPIKE_REG_SIZE / 4u + 1u];
    const popspike_error error =
        popspike_read(device, POPSPIKE_REG_MAGIC, words, sizeof words / sizeof words[0]);
    if (error != POPSPIKE_OK) {
        return error;
    }
    if (words[POPSPIKE_REG_MAGIC / 4u] != POPSPIKE_REGISTER_MAGIC) {
        return POPSPIKE_NO_GATEWARE;
    }
    identity->protocol = words[POPSPIKE_REG_PROTOCOL / 4u];
    if (identity->protocol != POPSPIKE_PROTOCOL_VERSION) {
        return POPSPIKE_PROTOCOL;
    }
    const uint32_t *size = words + POPSPIKE_REG_SIZE / 4u;
    identity->design_hash = words[POPSPIKE_REG_DESIGN_HASH / 4u];
    identity->capacity = words[POPSPIKE_REG_CAPACITY / 4u];
    identity->sample_values = (uint16_t)popspike_word_field(size, POPSPIKE_SIZE_WORD_SAMPLE_VALUES);
    identity->classes = (uint16_t)popspike_word_field(size, POPSPIKE_SIZE_WORD_CLASSES);
    return POPSPIKE_OK;
}

popspike_error popspike_read_status(popspike_device *device, popspike_status *status)
{
    uint32_t words[(POPSPIKE_REG_ERRORS - POPSPIKE_REG_FINGERPRINT) / 4u + 1u];
    uint32_t size;
    popspike_error error =
        popspike_read(device, POPSPIKE_REG_FINGERPRINT, words, sizeof words / sizeof words[0]);
    if (error == POPSPIKE_OK) {
        error = popspike_read(device, POPSPIKE_REG_NETWORK_SIZE, &size, 1);
    }
    if (error != POPSPIKE_OK) {
        return error;
    }
    const uint32_t *state = words + (POPSPIKE_REG_STATUS - POPSPIKE_REG_FINGERPRINT) / 4u;
    status->state = (uint8_t)popspike_word_field(state, POPSPIKE_STATUS_WORD_STATE);
    status->load_error = (uint8_t)popspike_word_field(state, POPSPIKE_STATUS_WORD_LOAD_ERROR);
    status->errors = words[(POPSPIKE_REG_ERRORS - POPSPIKE_REG_FINGERPRINT) / 4u];
    if (status->state != POPSPIKE_LOAD_STATE_ACTIVE) {
        size = 0;
        words[0] = 0;
    }
    status->fingerprint = words[0];
    status->sample_values = (uint16_t)popspike_word_field(&size, POPSPIKE_SIZE_WORD_SAMPLE_VALUES);
    status->classes = (uint16_t)popspike_word_field(&size, POPSPIKE_SIZE_WORD_CLASSES);
    return POPSPIKE_OK;
}

/* Networks */

static const uint8_t *fetch(const popspike_image *image, uint32_t offset, uint16_t count)
{
    if (image->bytes != NULL) {
        return image->bytes + offset;
    }
    return image->reader(image->context, offset, image->buffer, count) ? image->buffer : NULL;
}

static popspike_error send_image(popspike_device *device, const popspike_image *image)
{
    popspike_error error =
        command(device, POPSPIKE_FRAME_TYPE_LOAD_BEGIN, image->length, 4, NULL, 0);
    uint32_t left = image->length;
    while (error == POPSPIKE_OK && left > 0u) {
        uint16_t count = POPSPIKE_LARGEST_PART;
        if (image->bytes == NULL && count > image->buffer_size) {
            count = image->buffer_size;
        }
        if (count > left) {
            count = (uint16_t)left;
        }
        const uint8_t *bytes = fetch(image, image->length - left, count);
        if (bytes == NULL) {
            return POPSPIKE_IMAGE;
        }
        error = command(device, POPSPIKE_FRAME_TYPE_LOAD_DATA, left, 4, bytes, count);
        left -= count;
    }
    if (error != POPSPIKE_OK) {
        return error;
    }
    return command(device, POPSPIKE_FRAME_TYPE_LOAD_END, 0, 0, NULL, 0);
}

popspike_error popspike_load(popspike_device *device, const popspike_image *image)
{
    if (image->bytes == NULL && image->buffer_size < IMAGE_START_BYTES) {
        return POPSPIKE_ARGUMENT;
    }
    if (image->length < POPSPIKE_IMAGE_HEADER_BYTES) {
        return POPSPIKE_IMAGE;
    }
    const uint8_t *start = fetch(image, 0, IMAGE_START_BYTES);
    if (start == NULL ||
        popspike_field(start, POPSPIKE_IMAGE_HEADER_MAGIC) != POPSPIKE_IMAGE_MAGIC ||
        popspike_field(start, POPSPIKE_IMAGE_HEADER_VERSION) != POPSPIKE_IMAGE_VERSION) {
        return POPSPIKE_IMAGE;
    }
    const uint32_t fingerprint = popspike_field(start, POPSPIKE_IMAGE_HEADER_FINGERPRINT);
    popspike_error error = send_image(device, image);
    if (error == POPSPIKE_REFUSED && (device->reason == POPSPIKE_REFUSAL_REASON_GAP ||
                                      device->reason == POPSPIKE_REFUSAL_REASON_INCOMPLETE)) {
        /* The board has lost sight of the load, as it does when its power fails for a moment. */
        error = send_image(device, image);
    }
    uint32_t active = 0;
    if (error == POPSPIKE_OK) {
        error = popspike_read(device, POPSPIKE_REG_FINGERPRINT, &active, 1);
    }
    if (error == POPSPIKE_OK && active != fingerprint) {
        error = POPSPIKE_OTHER_NETWORK;
    }
    return error;
}

popspike_error popspike_boot(popspike_device *device, uint8_t slot, uint32_t timeout_ms)
{
    const popspike_transport *line = device->transport;
    const uint32_t begun = line->milliseconds(device->context);
    popspike_error error = popspike_write(device, POPSPIKE_REG_BOOT, slot);
    while (error == POPSPIKE_OK) {
        uint32_t word;
        error = popspike_read(device, POPSPIKE_REG_BOOT, &word, 1);
        if (error != POPSPIKE_OK) {
            break;
        }
        const uint32_t state = popspike_word_field(&word, POPSPIKE_BOOT_WORD_STATE);
        if (state == POPSPIKE_BOOT_STATE_IDLE &&
            popspike_word_field(&word, POPSPIKE_BOOT_WORD_SLOT) == slot) {
            return POPSPIKE_OK;
        }
        if (state != POPSPIKE_BOOT_STATE_BUSY) {
            return POPSPIKE_SLOT;
        }
        if (line->milliseconds(device->context) - begun >= timeout_ms) {
            return POPSPIKE_TIMEOUT;
        }
    }
    return error;
}

/* Samples */

static void expect_result(popspike_device *device, uint8_t *buffer, uint16_t buffer_size,
                          popspike_result *result)
{
    device->answer = buffer;
    device->room = buffer_size;
    device->result = result;
}

/* What came of it, if a result had to come. */
static popspike_error with_result(const popspike_device *device, popspike_error error)
{
    if (error != POPSPIKE_OK) {
        return error;
    }
    return device->type == POPSPIKE_FRAME_TYPE_RESULT && popspike_read_result(device)
               ? POPSPIKE_OK
               : POPSPIKE_REPLY;
}

popspike_error popspike_classify(popspike_device *device, const uint8_t *sample, uint16_t size,
                                 uint8_t *buffer, uint16_t buffer_size, popspike_result *result)
{
    popspike_prepare(device, POPSPIKE_FRAME_TYPE_SAMPLE, 0, 0, sample, size);
    expect_result(device, buffer, buffer_size, result);
    return with_result(device, popspike_exchange(device, POPSPIKE_ANY_TYPE));
}

popspike_error popspike_classify_events(popspike_device *device, const uint8_t *events,
                                        uint32_t count, uint8_t *buffer, uint16_t buffer_size,
                                        popspike_result *result)
{
    if (count == 0u) {
        return POPSPIKE_ARGUMENT;
    }
    /* Done at the end: the result was lost on the line. */
    for (unsigned tries = 0; tries < 2u; ++tries) {
        popspike_error error =
            command(device, POPSPIKE_FRAME_TYPE_SAMPLE_BEGIN, count, 4, NULL, 0);
        const uint8_t *next = events;
        uint32_t left = count;
        while (error == POPSPIKE_OK && left > 0u) {
            const uint32_t part = left < EVENTS_OF_PART ? left : EVENTS_OF_PART;
            const uint16_t bytes = (uint16_t)(part * POPSPIKE_EVENT_ENTRY_BYTES);
            popspike_prepare(device, POPSPIKE_FRAME_TYPE_SAMPLE_DATA, left, 4, next, bytes);
            expect_result(device, buffer, buffer_size, result);
            error = popspike_exchange(device, POPSPIKE_ANY_TYPE);
            next += bytes;
            left -= part;
        }
        if (error != POPSPIKE_OK || device->type != POPSPIKE_FRAME_TYPE_DONE) {
            return with_result(device, error);
        }
    }
    return POPSPIKE_TIMEOUT;
}
