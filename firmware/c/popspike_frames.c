/* SPDX-License-Identifier: Apache-2.0 */
/*
 * On the line a frame is 0, the COBS code of its message, 0; a message is a header, a body and the
 * CRC of both. Nothing is kept whole: requests are coded from where their parts lie, replies are
 * decoded into the caller's buffer byte by byte.
 */

#include "popspike_frames.h"

/* A full block of the code has one byte less than this and no zero behind it. */
#define FULL_BLOCK 0xFFu
/* Replies have it in their type. */
#define REPLY_BIT 0x80u

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

void popspike_store(uint8_t *bytes, uint32_t number, unsigned count)
{
    for (unsigned k = 0; k < count; ++k) {
        bytes[k] = (uint8_t)(number >> 8u * k);
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

/* The next byte that comes is the first of a frame. */
static void begin_frame(popspike_device *device)
{
    device->place = 0;
    device->check = POPSPIKE_CRC_INITIAL;
    device->left = 0;
    device->zero = false;
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

/* Compute the CRC of the message that is sent. */
static APART void seal(popspike_device *device)
{
    const uint32_t whole = (uint32_t)device->head_size + device->body_size;
    uint16_t crc = POPSPIKE_CRC_INITIAL;
    for (uint32_t k = 0; k < whole; ++k) {
        crc = crc_after(crc, message_byte(device, k));
    }
    crc ^= POPSPIKE_CRC_XOR;
    device->crc[0] = (uint8_t)(crc >> 8);
    device->crc[1] = (uint8_t)crc;
}

/* All of it; the chunk is empty then, free for the reply. */
static APART bool send_request(popspike_device *device)
{
    const uint32_t total = (uint32_t)device->head_size + device->body_size + POPSPIKE_CRC_BYTES;
    begin_frame(device);
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
        for (; good && place < end; ++place) {
            good = put(device, message_byte(device, place));
        }
        if (code != FULL_BLOCK) {
            ++place;
        }
    }
    return good && put(device, 0) && (device->filled == 0u || flush(device));
}

/* Replies */

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
    const uint32_t bytes = (uint32_t)device->size + POPSPIKE_HEADER_BYTES + POPSPIKE_CRC_BYTES;
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

bool popspike_read_result(const popspike_device *device)
{
    popspike_result *result = device->result;
    unsigned left = device->size;
    result->entries = device->answer;
    result->classes = 0;
    while (left > POPSPIKE_RESULT_END_BYTES) {
        left -= POPSPIKE_RESULT_ENTRY_BYTES;
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

/* Wait for the next reply to the last request. */
static APART popspike_error await_reply(popspike_device *device, uint32_t timeout_ms)
{
    const popspike_transport *line = device->transport;
    const uint32_t begun = line->milliseconds(device->context);
    for (;;) {
        while (device->taken < device->filled) {
            if (!receive(device, device->chunk[device->taken++])) {
                continue;
            }
            if (device->type != POPSPIKE_FRAME_TYPE_REFUSED) {
                return POPSPIKE_OK;
            }
            return device->size == POPSPIKE_REFUSAL_BYTES ? POPSPIKE_REFUSED : POPSPIKE_REPLY;
        }
        const uint32_t passed = line->milliseconds(device->context) - begun;
        if (passed >= timeout_ms) {
            return POPSPIKE_TIMEOUT;
        }
        const int count =
            line->read(device->context, device->chunk, POPSPIKE_CHUNK, timeout_ms - passed);
        if (count < 0 || count > (int)POPSPIKE_CHUNK) {
            return POPSPIKE_LINK;
        }
        device->filled = (uint8_t)count;
        device->taken = 0;
    }
}

/* Hand an answer on the way through a sample to the caller. */
static APART void tell(const popspike_device *device)
{
    if (device->on_running != NULL && device->result != NULL && popspike_read_result(device)) {
        device->on_running(device->context, device->result);
    }
}

/* Send the request and wait for its reply. */
static popspike_error ask(popspike_device *device)
{
    device->head[1] = ++device->sequence;
    seal(device);
    if (!send_request(device)) {
        return POPSPIKE_LINK;
    }
    for (;;) {
        const popspike_error error = await_reply(device, device->timeout_ms);
        if (error != POPSPIKE_OK || device->type != POPSPIKE_FRAME_TYPE_RUNNING) {
            return error;
        }
        /* A sign of life: the time begins anew. */
        tell(device);
    }
}

/* Let a busy board work; false if the line is gone. */
static APART bool rest(popspike_device *device)
{
    /* No reply to wait for has this number. */
    ++device->sequence;
    return await_reply(device, device->timeout_ms / 8u + 1u) != POPSPIKE_LINK;
}

popspike_error popspike_exchange(popspike_device *device, uint8_t type)
{
    popspike_error error = POPSPIKE_TIMEOUT;
    for (unsigned left = device->retries + 1u; left > 0u; --left) {
        if (error == POPSPIKE_REFUSED && !rest(device)) {
            return POPSPIKE_LINK;
        }
        error = ask(device);
        if (error == POPSPIKE_OK) {
            return device->type == type || type == POPSPIKE_ANY_TYPE ? POPSPIKE_OK : POPSPIKE_REPLY;
        }
        const bool is_busy =
            error == POPSPIKE_REFUSED && device->reason == POPSPIKE_REFUSAL_REASON_BUSY;
        if (error != POPSPIKE_TIMEOUT && !is_busy) {
            break;
        }
    }
    return error;
}

void popspike_prepare(popspike_device *device, uint8_t type, uint32_t number, uint8_t number_size,
                      const uint8_t *body, uint16_t body_size)
{
    device->head[0] = type;
    popspike_store(device->head + 2, (uint32_t)number_size + body_size, 2);
    popspike_store(device->head + POPSPIKE_HEADER_BYTES, number, number_size);
    device->head_size = (uint8_t)(POPSPIKE_HEADER_BYTES + number_size);
    device->body = body;
    device->body_size = body_size;
    device->room = 0;
    device->result = NULL;
}
