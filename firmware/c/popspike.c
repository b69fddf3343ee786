/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See popspike.h. On the line a frame is 0, the COBS code of its message, 0; a message is a header,
 * a body and the CRC of both. Nothing is kept whole: requests are coded from where their parts lie,
 * replies are decoded into the caller's buffer byte by byte.
 */

#include "popspike.h"

/* A full block of the code has one byte less than this and no zero behind it. */
#define FULL_BLOCK 0xFFu
/* Replies have it in their type. */
#define REPLY_BIT 0x80u
/* Of an image, up to the end of the fingerprint. */
#define IMAGE_START_BYTES 16u
/* Events of a sample in a frame. */
#define EVENTS_OF_PART \
    ((POPSPIKE_LEAST_BODY_LIMIT - POPSPIKE_SAMPLE_DATA_BYTES) / POPSPIKE_EVENT_ENTRY_BYTES)
/* Exchange any reply for a request. */
#define ANY_TYPE 0u

/* Keeps the frame of a function off the stack of what its caller calls next. */
#if defined(__GNUC__)
#define APART __attribute__((noinline))
#else
#define APART
#endif

uint32_t popspike_field(const uint8_t *bytes, unsigned bit, unsigned bits)
{
    const uint8_t *byte = bytes + bit / 8u;
    uint32_t value = (uint32_t)byte[0] >> bit % 8u;
    for (unsigned have = 8u - bit % 8u; have < bits; have += 8u) {
        value |= (uint32_t)*++byte << have;
    }
    return bits < 32u ? value & ((UINT32_C(1) << bits) - 1u) : value;
}

static void store(uint8_t *bytes, uint32_t value, unsigned count)
{
    for (unsigned k = 0; k < count; ++k) {
        bytes[k] = (uint8_t)(value >> 8u * k);
    }
}

static uint16_t crc_after(uint16_t crc, uint8_t byte)
{
    unsigned value = crc ^ (unsigned)byte << 8;
    for (unsigned k = 0; k < 8u; ++k) {
        value = value << 1 ^ ((value & 0x8000u) != 0u ? POPSPIKE_CRC_POLYNOMIAL : 0u);
    }
    return (uint16_t)value;
}

/* Requests */

/* A byte of the message that is sent. */
static uint8_t message_byte(const popspike_device *device, uint32_t place)
{
    if (place < device->head_size) {
        return device->head[place];
    }
    place -= device->head_size;
    if (place < device->body_size) {
        return device->body[place];
    }
    return device->crc[place - device->body_size];
}

static bool flush(popspike_device *device)
{
    const size_t count = device->filled;
    device->filled = 0;
    return device->transport->write(device->context, device->chunk, count);
}

static bool put(popspike_device *device, uint8_t byte)
{
    device->chunk[device->filled++] = byte;
    return device->filled < POPSPIKE_CHUNK || flush(device);
}

static APART bool send_request(popspike_device *device)
{
    const uint32_t whole = (uint32_t)device->head_size + device->body_size;
    const uint32_t total = whole + POPSPIKE_CRC_BYTES;
    uint16_t crc = POPSPIKE_CRC_INITIAL;
    for (uint32_t k = 0; k < whole; ++k) {
        crc = crc_after(crc, message_byte(device, k));
    }
    crc ^= POPSPIKE_CRC_XOR;
    device->crc[0] = (uint8_t)(crc >> 8);
    device->crc[1] = (uint8_t)crc;

    device->filled = 0;
    bool good = put(device, 0);
    /* A block: how far the next zero is, and the bytes up to it. */
    for (uint32_t place = 0; good && place <= total;) {
        uint32_t end = place;
        while (end < total && end - place < FULL_BLOCK - 1u && message_byte(device, end) != 0u) {
            ++end;
        }
        const uint8_t code = (uint8_t)(end - place + 1u);
        good = put(device, code);
        while (good && place < end) {
            good = put(device, message_byte(device, place++));
        }
        if (code != FULL_BLOCK) {
            ++place;
        }
    }
    return good && put(device, 0) && (device->filled == 0u || flush(device));
}

/* Replies */

static void begin_frame(popspike_device *device)
{
    device->place = 0;
    device->check = POPSPIKE_CRC_INITIAL;
    device->left = 0;
    device->zero = false;
}

/* A byte of a message, from behind the code. */
static void take(popspike_device *device, uint8_t byte)
{
    device->check = crc_after(device->check, byte);
    uint32_t place = device->place++;
    if (place < POPSPIKE_HEADER_BYTES) {
        device->header[place] = byte;
        return;
    }
    place -= POPSPIKE_HEADER_BYTES;
    /* Whether it was whole is known at the end only. */
    if (device->header[1] != device->sequence) {
        return;
    }
    if (device->header[0] == POPSPIKE_FRAME_TYPE_REFUSED) {
        if (place == 0u) {
            device->reason = byte;
        } else if (place == 1u) {
            device->detail = byte;
        }
    } else if (place < device->room) {
        device->answer[place] = byte;
    }
}

/* Whether the frame that has ended is a whole reply to the last request. */
static bool end_frame(popspike_device *device)
{
    device->type = device->header[0];
    device->size = (uint16_t)(device->header[2] | (unsigned)device->header[3] << 8);
    const uint32_t bytes = device->size + POPSPIKE_HEADER_BYTES + POPSPIKE_CRC_BYTES;
    return device->left == 0u && device->place == bytes &&
           device->check == POPSPIKE_CRC_RESIDUE &&
           (device->type & REPLY_BIT) != 0u && device->header[1] == device->sequence;
}

/* A byte of the line; true at the end of a reply. */
static bool receive(popspike_device *device, uint8_t byte)
{
    if (byte == 0u) {
        const bool whole = end_frame(device);
        begin_frame(device);
        return whole;
    }
    if (device->left == 0u) {
        if (device->zero) {
            take(device, 0);
        }
        device->left = (uint8_t)(byte - 1u);
        device->zero = byte != FULL_BLOCK;
    } else {
        --device->left;
        take(device, byte);
    }
    return false;
}

/* Describe the answer that came to the caller; false if it is none. */
static bool read_result(const popspike_device *device)
{
    popspike_result *result = device->result;
    uint16_t left = device->size;
    result->entries = device->answer;
    result->classes = 0;
    while (left > POPSPIKE_RESULT_END_BYTES) {
        left = (uint16_t)(left - POPSPIKE_RESULT_ENTRY_BYTES);
        ++result->classes;
    }
    if (left != POPSPIKE_RESULT_END_BYTES || result->classes == 0u ||
        device->size > device->room) {
        return false;
    }
    const uint8_t *end = device->answer + (device->size - left);
    result->winner = (uint16_t)popspike_field(end, POPSPIKE_RESULT_END_WINNER);
    result->cycles = popspike_field(end, POPSPIKE_RESULT_END_CYCLES);
    return true;
}

static popspike_error await_reply(popspike_device *device, uint32_t timeout_ms)
{
    const popspike_transport *line = device->transport;
    uint32_t begun = line->milliseconds(device->context);
    begin_frame(device);
    for (;;) {
        const uint32_t passed = line->milliseconds(device->context) - begun;
        if (passed >= timeout_ms) {
            return POPSPIKE_TIMEOUT;
        }
        const int count =
            line->read(device->context, device->chunk, POPSPIKE_CHUNK, timeout_ms - passed);
        if (count < 0 || count > (int)POPSPIKE_CHUNK) {
            return POPSPIKE_LINK;
        }
        for (int k = 0; k < count; ++k) {
            if (!receive(device, device->chunk[k])) {
                continue;
            }
            if (device->type == POPSPIKE_FRAME_TYPE_REFUSED) {
                return device->size == POPSPIKE_REFUSAL_BYTES ? POPSPIKE_REFUSED : POPSPIKE_REPLY;
            }
            if (device->type != POPSPIKE_FRAME_TYPE_RUNNING) {
                return POPSPIKE_OK;
            }
            /* A sign of life; the reply is still to come. */
            begun = line->milliseconds(device->context);
            if (device->on_running != NULL && device->result != NULL && read_result(device)) {
                device->on_running(device->context, device->result);
            }
        }
    }
}

static bool is_refused_as(const popspike_device *device, popspike_error error, uint8_t reason)
{
    return error == POPSPIKE_REFUSED && device->reason == reason;
}

/* Ask until there is an answer, and see that it is of the type. */
static popspike_error exchange(popspike_device *device, uint8_t type)
{
    popspike_error error = POPSPIKE_TIMEOUT;
    for (unsigned tries = 0; tries <= device->retries; ++tries) {
        if (error == POPSPIKE_REFUSED) {
            /* It was busy. No reply to wait for has this number. */
            ++device->sequence;
            if (await_reply(device, device->timeout_ms / 8u + 1u) == POPSPIKE_LINK) {
                return POPSPIKE_LINK;
            }
        }
        device->head[1] = ++device->sequence;
        if (!send_request(device)) {
            return POPSPIKE_LINK;
        }
        error = await_reply(device, device->timeout_ms);
        if (error == POPSPIKE_OK && type != ANY_TYPE && device->type != type) {
            return POPSPIKE_REPLY;
        }
        if (error != POPSPIKE_TIMEOUT &&
            !is_refused_as(device, error, POPSPIKE_REFUSAL_REASON_BUSY)) {
            break;
        }
    }
    return error;
}

/* Fill in a request: a number of so many bytes, and what follows. No room for a body of the reply. */
static void prepare(popspike_device *device, uint8_t type, uint32_t number, uint8_t number_size,
                    const uint8_t *body, uint16_t body_size)
{
    device->head[0] = type;
    store(device->head + 2, (uint32_t)number_size + body_size, 2);
    store(device->head + POPSPIKE_HEADER_BYTES, number, number_size);
    device->head_size = (uint8_t)(POPSPIKE_HEADER_BYTES + number_size);
    device->body = body;
    device->body_size = body_size;
    device->room = 0;
    device->result = NULL;
}

/* A request that is only acknowledged. */
static popspike_error command(popspike_device *device, uint8_t type, uint32_t number,
                              uint8_t number_size, const uint8_t *body, uint16_t body_size)
{
    prepare(device, type, number, number_size, body, body_size);
    return exchange(device, POPSPIKE_FRAME_TYPE_DONE);
}

/* What a caller wants */

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
    if (count == 0u) {
        return POPSPIKE_ARGUMENT;
    }
    uint8_t *bytes = (uint8_t *)words;
    prepare(device, POPSPIKE_FRAME_TYPE_READ, (uint32_t)address | (uint32_t)count << 8,
            POPSPIKE_READ_REQUEST_BYTES, NULL, 0);
    device->answer = bytes;
    device->room = (uint16_t)(count * 4u);
    const popspike_error error = exchange(device, POPSPIKE_FRAME_TYPE_WORDS);
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
    store(bytes, value, sizeof bytes);
    return command(device, POPSPIKE_FRAME_TYPE_WRITE, address, 1, bytes, sizeof bytes);
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
    if (is_refused_as(device, error, POPSPIKE_REFUSAL_REASON_GAP) ||
        is_refused_as(device, error, POPSPIKE_REFUSAL_REASON_INCOMPLETE)) {
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
        if (popspike_word_field(&word, POPSPIKE_BOOT_WORD_STATE) != POPSPIKE_BOOT_STATE_BUSY) {
            const bool there = popspike_word_field(&word, POPSPIKE_BOOT_WORD_SLOT) == slot;
            return there ? POPSPIKE_OK : POPSPIKE_SLOT;
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

popspike_error popspike_classify(popspike_device *device, const uint8_t *sample, uint16_t size,
                                 uint8_t *buffer, uint16_t buffer_size, popspike_result *result)
{
    prepare(device, POPSPIKE_FRAME_TYPE_SAMPLE, 0, 0, sample, size);
    expect_result(device, buffer, buffer_size, result);
    const popspike_error error = exchange(device, POPSPIKE_FRAME_TYPE_RESULT);
    if (error != POPSPIKE_OK) {
        return error;
    }
    return read_result(device) ? POPSPIKE_OK : POPSPIKE_REPLY;
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
            prepare(device, POPSPIKE_FRAME_TYPE_SAMPLE_DATA, left, 4, next, bytes);
            expect_result(device, buffer, buffer_size, result);
            error = exchange(device, ANY_TYPE);
            next += bytes;
            left -= part;
        }
        if (error != POPSPIKE_OK) {
            return error;
        }
        if (device->type == POPSPIKE_FRAME_TYPE_RESULT) {
            return read_result(device) ? POPSPIKE_OK : POPSPIKE_REPLY;
        }
    }
    return POPSPIKE_TIMEOUT;
}
