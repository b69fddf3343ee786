/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Driver of a popspike gateware for microcontrollers and hosts.
 *
 * C99, freestanding: no allocation, no library, no static data. Bytes move through callbacks, so
 * that UART, USB and SPI are all the same to it. Every function blocks until it is done and returns
 * POPSPIKE_OK or why not; none may be called from a callback.
 *
 * A request whose reply does not come in time is sent again, with another sequence number; the
 * protocol lets every request be repeated. After an error what a function was to fill in holds
 * anything.
 */

#ifndef POPSPIKE_H
#define POPSPIKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "popspike_packets.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum popspike_error {
    POPSPIKE_OK = 0,
    /* No reply came, at any try. */
    POPSPIKE_TIMEOUT,
    /* The board refused the request: see `reason` and `detail` of the device. */
    POPSPIKE_REFUSED,
    /* A callback of the transport failed. */
    POPSPIKE_LINK,
    /* A whole reply came, but of another type or size than belongs to the request. */
    POPSPIKE_REPLY,
    /* What answers is no popspike gateware. */
    POPSPIKE_NO_GATEWARE,
    /* The gateware speaks another version of the protocol. */
    POPSPIKE_PROTOCOL,
    /* An argument is out of range; nothing was sent. */
    POPSPIKE_ARGUMENT,
    /* The bytes are no device image of this version, or could not be read. If the header is wrong
       nothing was sent and the old network is in use; later the board has no network. */
    POPSPIKE_IMAGE,
    /* Loaded and taken, but another network is active now: somebody else writes to the board. */
    POPSPIKE_OTHER_NETWORK,
    /* The slot of the flash holds no network that the gateware takes. */
    POPSPIKE_SLOT
} popspike_error;

/* The line to the board. Callbacks get the context of the device. */
typedef struct popspike_transport {
    /* Send all bytes, at most POPSPIKE_CHUNK at a time; false if the line does not take them. What
       arrives meanwhile may be thrown away. */
    bool (*write)(void *context, const uint8_t *bytes, size_t count);
    /* Put what has arrived into bytes, at most count; wait for the first byte no longer than the
       time. Return how many, 0 if none came, or a negative number if the line is gone. Returning 0
       early is harmless. */
    int (*read)(void *context, uint8_t *bytes, size_t count, uint32_t timeout_ms);
    /* Milliseconds since any moment; wraps around. */
    uint32_t (*milliseconds)(void *context);
} popspike_transport;

/* Most bytes of a call of the transport. */
#define POPSPIKE_CHUNK 16u

/* One output neuron after another, as the bytes came. */
typedef struct popspike_result {
    /* In the buffer that the caller gave: popspike_score() and popspike_step() read them. */
    const uint8_t *entries;
    uint16_t classes;
    /* The answer. */
    uint16_t winner;
    /* Clock cycles from the first pixel on, waiting for the line left out; 0: not measured. */
    uint32_t cycles;
} popspike_result;

/* A board on a line, made ready by popspike_init(). The first three fields are the caller's to
   change. */
typedef struct popspike_device {
    /* Time for a reply, from the moment that the request has been written. */
    uint32_t timeout_ms;
    /* Called with each answer on the way through a sample, where such answers are chosen; null: not
       called. The result is overwritten by the next one. Of a sample of events, which is sent in
       parts, those to an earlier part are passed over. */
    void (*on_running)(void *context, const popspike_result *result);
    /* How often a request is repeated. */
    uint8_t retries;

    /* Why a request was refused, after POPSPIKE_REFUSED: enum popspike_refusal_reason, and of
       images enum popspike_load_error. */
    uint8_t reason, detail;

    /* The rest is the driver's own. */
    uint8_t sequence;
    const popspike_transport *transport;
    void *context;
    /* The request: header and number, bytes of the body behind them, CRC. */
    const uint8_t *body;
    uint16_t body_size;
    uint8_t head_size;
    uint8_t head[POPSPIKE_HEADER_BYTES + 4u];
    uint8_t crc[POPSPIKE_CRC_BYTES];
    /* The reply: its type, where its body shall go, the room there, the bytes of the body; where a
       result shall be described. */
    uint8_t type;
    uint8_t *answer;
    uint16_t room, size;
    popspike_result *result;
    /* The frame that is coming in: its header, bytes of it so far, CRC of these; bytes that are
       left of a block of its code, whether a zero stands behind them. */
    uint8_t header[POPSPIKE_HEADER_BYTES];
    uint32_t place;
    uint16_t check;
    uint8_t left;
    bool zero;
    /* For or from the transport; bytes in it, and how many of these have been looked at. */
    uint8_t chunk[POPSPIKE_CHUNK];
    uint8_t filled, taken;
} popspike_device;

/* What a gateware is. */
typedef struct popspike_identity {
    uint32_t protocol;
    /* CRC-32 of the design: device images are made for one. */
    uint32_t design_hash;
    /* Fields of POPSPIKE_CAPACITY_WORD. */
    uint32_t capacity;
    /* Largest sample [bytes] and most classes. */
    uint16_t sample_values, classes;
} popspike_identity;

/* What a board holds. */
typedef struct popspike_status {
    /* Of the active network, 0 without one. */
    uint32_t fingerprint;
    /* Fields of POPSPIKE_ERROR_FLAGS. */
    uint32_t errors;
    /* enum popspike_load_state; why the last image was refused, enum popspike_load_error. */
    uint8_t state, load_error;
    /* Bytes of a sample and classes of the active network, 0 without one. */
    uint16_t sample_values, classes;
} popspike_status;

/* A device image: in memory, or read part by part. */
typedef struct popspike_image {
    uint32_t length;
    /* The image; null: it comes through the reader. */
    const uint8_t *bytes;
    /* Puts count bytes of the image from an offset on into the buffer; false if that fails. May be
       asked for the same bytes again. */
    bool (*reader)(void *context, uint32_t offset, uint8_t *buffer, size_t count);
    void *context;
    /* 16 bytes or more; the more the faster, up to POPSPIKE_LARGEST_PART. */
    uint8_t *buffer;
    uint16_t buffer_size;
} popspike_image;

/* Most bytes of an image that are sent at a time. */
#define POPSPIKE_LARGEST_PART (POPSPIKE_LEAST_BODY_LIMIT - POPSPIKE_LOAD_DATA_BYTES)

/* A second to reply, 4 repetitions. The transport must outlive the device. */
void popspike_init(popspike_device *device, const popspike_transport *transport, void *context);

/* Find out what answers. With POPSPIKE_PROTOCOL only the protocol is filled in. */
popspike_error popspike_identify(popspike_device *device, popspike_identity *identity);

/* Ask what the board holds. */
popspike_error popspike_read_status(popspike_device *device, popspike_status *status);

/* Read registers of 32 bits from a byte address on; 1 to 255 words. */
popspike_error popspike_read(popspike_device *device, uint8_t address, uint32_t *words,
                             uint8_t count);

/* Write a register. */
popspike_error popspike_write(popspike_device *device, uint8_t address, uint32_t value);

/* Send bytes that mean nothing and wait for the acknowledgement: is the line good? At most
   POPSPIKE_LEAST_BODY_LIMIT. */
popspike_error popspike_probe(popspike_device *device, const uint8_t *bytes, uint16_t count);

/* Load a device image and make its network active. The network in use is forgotten, even if the
   board refuses the new one; make images for the design_hash of the board. */
popspike_error popspike_load(popspike_device *device, const popspike_image *image);

/* Load the network of a slot of the board's flash; wait for it no longer than the time. */
popspike_error popspike_boot(popspike_device *device, uint8_t slot, uint32_t timeout_ms);

/* Classify a sample, one byte a pixel or value. The answer is left in a buffer of at least
   POPSPIKE_RESULT_SIZE(classes) bytes and described by the result. */
popspike_error popspike_classify(popspike_device *device, const uint8_t *sample, uint16_t size,
                                 uint8_t *buffer, uint16_t buffer_size, popspike_result *result);

/* The same for events of a camera, POPSPIKE_EVENT_ENTRY_BYTES each. */
popspike_error popspike_classify_events(popspike_device *device, const uint8_t *events,
                                        uint32_t count, uint8_t *buffer, uint16_t buffer_size,
                                        popspike_result *result);

/* Bytes of the answer of so many classes. */
#define POPSPIKE_RESULT_SIZE(classes) \
    (POPSPIKE_RESULT_ENTRY_BYTES * (classes) + POPSPIKE_RESULT_END_BYTES)

/* Field of a structure in little-endian bytes: popspike_field(bytes, POPSPIKE_..._FIELD). */
uint32_t popspike_field(const uint8_t *bytes, unsigned bit, unsigned bits);

/* Field of a structure in registers that were read, lowest first. */
static inline uint32_t popspike_word_field(const uint32_t *words, unsigned bit, unsigned bits)
{
    const unsigned place = bit % 32u;
    uint32_t value = words[bit / 32u] >> place;
    if (place + bits > 32u) {
        value |= words[bit / 32u + 1u] << (32u - place);
    }
    return bits < 32u ? value & ((UINT32_C(1) << bits) - 1u) : value;
}

/* What the readout compares: potential, or sum over the members. */
static inline int32_t popspike_score(const popspike_result *result, uint16_t output)
{
    const uint8_t *entry = result->entries + (size_t)output * POPSPIKE_RESULT_ENTRY_BYTES;
    return (int32_t)popspike_field(entry, POPSPIKE_RESULT_ENTRY_SCORE);
}

/* Step of an output's spike, POPSPIKE_SILENT if there was none; of networks with a state at every
   step the members that would have chosen the class. */
static inline uint16_t popspike_step(const popspike_result *result, uint16_t output)
{
    const uint8_t *entry = result->entries + (size_t)output * POPSPIKE_RESULT_ENTRY_BYTES;
    return (uint16_t)popspike_field(entry, POPSPIKE_RESULT_ENTRY_STEP);
}

#ifdef __cplusplus
}
#endif

#endif
