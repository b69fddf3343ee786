/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The driver on a line of text: a command a line on the standard input, answered by "= ERROR REASON
 * DETAIL ..." on the standard output. Callbacks of the transport are lines, too, and are answered on
 * the standard input: "W BYTES" by 1 or 0, "R COUNT TIMEOUT" by bytes, or by "!N" for a callback that
 * returns N, "T" by milliseconds, "I OFFSET COUNT" by bytes of an image, or by "!". Bytes are
 * hexadecimal, "-" for none.
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "popspike.h"

#if defined(WITH_DEMO)
#include "demo.h"
#endif

#define LINE_SIZE (1u << 20)

static char line[LINE_SIZE];
static uint8_t input[LINE_SIZE / 2];
static uint8_t buffer[1 << 16];

static bool read_line(void)
{
    if (fgets(line, sizeof line, stdin) == NULL) {
        return false;
    }
    line[strcspn(line, "\n")] = '\0';
    return true;
}

static void ask(void)
{
    fflush(stdout);
    if (!read_line()) {
        exit(2);
    }
}

static size_t from_hex(const char *text, uint8_t *bytes)
{
    size_t count = 0;
    for (; text[0] != '\0' && text[0] != '-'; text += 2) {
        const char digits[3] = {text[0], text[1], '\0'};
        bytes[count++] = (uint8_t)strtoul(digits, NULL, 16);
    }
    return count;
}

static void print_hex(const uint8_t *bytes, size_t count)
{
    for (size_t k = 0; k < count; ++k) {
        printf("%02x", bytes[k]);
    }
}

/* The line behind the standard input and output */

static bool write_line(void *context, const uint8_t *bytes, size_t count)
{
    (void)context;
    printf("W ");
    print_hex(bytes, count);
    printf("\n");
    ask();
    return line[0] == '1';
}

static int read_bytes(void *context, uint8_t *bytes, size_t count, uint32_t timeout_ms)
{
    (void)context;
    printf("R %zu %" PRIu32 "\n", count, timeout_ms);
    ask();
    return line[0] == '!' ? atoi(line + 1) : (int)from_hex(line, bytes);
}

static uint32_t milliseconds(void *context)
{
    (void)context;
    printf("T\n");
    ask();
    return (uint32_t)strtoul(line, NULL, 10);
}

static const popspike_transport console = {write_line, read_bytes, milliseconds};

static bool read_image(void *context, uint32_t offset, uint8_t *bytes, size_t count)
{
    (void)context;
    printf("I %" PRIu32 " %zu\n", offset, count);
    ask();
    return line[0] != '!' && from_hex(line, bytes) == count;
}

/* A line that plays what was given to it, in pieces */

typedef struct {
    const uint8_t *bytes;
    size_t left, piece;
    uint32_t now;
} player;

static bool ignore(void *context, const uint8_t *bytes, size_t count)
{
    (void)context;
    (void)bytes;
    return count <= POPSPIKE_CHUNK;
}

static int play(void *context, uint8_t *bytes, size_t count, uint32_t timeout_ms)
{
    player *from = context;
    size_t given = from->piece < count ? from->piece : count;
    given = given < from->left ? given : from->left;
    if (given == 0) {
        from->now += timeout_ms;
        return 0;
    }
    memcpy(bytes, from->bytes, given);
    from->bytes += given;
    from->left -= given;
    return (int)given;
}

static uint32_t played(void *context)
{
    return ((player *)context)->now;
}

static const popspike_transport from_memory = {ignore, play, played};

/* Commands */

static void print_result(const popspike_result *result)
{
    printf(" %u %u %" PRIu32, result->winner, result->classes, result->cycles);
    for (uint16_t k = 0; k < result->classes; ++k) {
        printf(" %u %" PRId32, popspike_step(result, k), popspike_score(result, k));
    }
}

static void on_running(void *context, const popspike_result *result)
{
    (void)context;
    printf("A");
    print_result(result);
    printf("\n");
}

static void answer(const popspike_device *device, popspike_error error)
{
    printf("= %d %u %u", (int)error, device->reason, device->detail);
}

/* A buffer of just the size that was asked for, so that a byte beyond it is noticed. */
static uint8_t *new_buffer(unsigned size)
{
    uint8_t *made = malloc(size != 0 ? size : 1);
    if (made == NULL) {
        exit(3);
    }
    return made;
}

static void run(popspike_device *device, const char *word, const char *rest)
{
    popspike_result result;
    popspike_error error;
    /* Two numbers, or a number and bytes, or bytes. */
    char *bytes;
    const unsigned number = (unsigned)strtoul(rest, &bytes, 10);
    bytes += bytes[0] == ' ';
    const unsigned more = (unsigned)strtoul(bytes, NULL, 10);
    if (strcmp(word, "init") == 0) {
        popspike_init(device, &console, NULL);
        device->on_running = more != 0 ? on_running : NULL;
        device->retries = (uint8_t)number;
        answer(device, POPSPIKE_OK);
    } else if (strcmp(word, "timeout") == 0) {
        device->timeout_ms = number;
        answer(device, POPSPIKE_OK);
    } else if (strcmp(word, "identify") == 0) {
        popspike_identity is = {0};
        error = popspike_identify(device, &is);
        answer(device, error);
        printf(" %" PRIu32 " %" PRIu32 " %" PRIu32 " %u %u", is.protocol, is.design_hash,
               is.capacity, is.sample_values, is.classes);
    } else if (strcmp(word, "status") == 0) {
        popspike_status has = {0};
        error = popspike_read_status(device, &has);
        answer(device, error);
        printf(" %" PRIu32 " %" PRIu32 " %u %u %u %u", has.fingerprint, has.errors, has.state,
               has.load_error, has.sample_values, has.classes);
    } else if (strcmp(word, "read") == 0) {
        uint32_t *words = (uint32_t *)(void *)new_buffer(4 * more);
        error = popspike_read(device, (uint8_t)number, words, (uint8_t)more);
        answer(device, error);
        for (unsigned k = 0; error == POPSPIKE_OK && k < more; ++k) {
            printf(" %" PRIu32, words[k]);
        }
        free(words);
    } else if (strcmp(word, "write") == 0) {
        answer(device, popspike_write(device, (uint8_t)number, more));
    } else if (strcmp(word, "probe") == 0) {
        const size_t count = from_hex(rest, input);
        answer(device, popspike_probe(device, input, (uint16_t)count));
    } else if (strcmp(word, "load") == 0) {
        const size_t count = from_hex(rest, input);
        const popspike_image image = {.length = (uint32_t)count, .bytes = input};
        answer(device, popspike_load(device, &image));
    } else if (strcmp(word, "load_from") == 0) {
        popspike_image image = {.length = number, .reader = read_image};
        image.buffer = new_buffer(more);
        image.buffer_size = (uint16_t)more;
        answer(device, popspike_load(device, &image));
        free(image.buffer);
    } else if (strcmp(word, "boot") == 0) {
        answer(device, popspike_boot(device, (uint8_t)number, more));
    } else if (strcmp(word, "classify") == 0 || strcmp(word, "events") == 0) {
        const size_t count = from_hex(bytes, input);
        uint8_t *into = new_buffer(number);
        if (word[0] == 'c') {
            error = popspike_classify(device, input, (uint16_t)count, into, (uint16_t)number,
                                      &result);
        } else {
            const uint32_t events = (uint32_t)(count / POPSPIKE_EVENT_ENTRY_BYTES);
            error = popspike_classify_events(device, input, events, into, (uint16_t)number,
                                             &result);
        }
        answer(device, error);
        if (error == POPSPIKE_OK) {
            print_result(&result);
        }
        free(into);
    } else if (strcmp(word, "play") == 0) {
        /* Two registers asked of a line that brings these bytes, whatever was asked; the request
           has the number 90. */
        popspike_device other;
        player from = {input, from_hex(bytes, input), number, 0};
        uint32_t words[2];
        popspike_init(&other, &from_memory, &from);
        other.retries = 0;
        other.sequence = 89;
        error = popspike_read(&other, 0, words, 2);
        answer(&other, error);
        if (error == POPSPIKE_OK) {
            printf(" %" PRIu32 " %" PRIu32, words[0], words[1]);
        }
#if defined(WITH_DEMO)
    } else if (strcmp(word, "demo_begin") == 0) {
        const bool good = demo_begin(device, &error);
        answer(device, error);
        printf(" %d", good);
    } else if (strcmp(word, "demo_classify") == 0) {
        error = demo_classify(device, (uint16_t)number, &result);
        answer(device, error);
        if (error == POPSPIKE_OK) {
            printf(" %u", demo_classes[number]);
            print_result(&result);
        }
#endif
    } else if (strcmp(word, "field") == 0) {
        /* A field of bytes, read as bytes and as registers: first bit, number of bits, bytes. */
        uint32_t words[4] = {0};
        const size_t count = from_hex(strrchr(rest, ' ') + 1, buffer);
        for (size_t k = 0; k < count; ++k) {
            words[k / 4] |= (uint32_t)buffer[k] << 8 * (k % 4);
        }
        answer(device, POPSPIKE_OK);
        printf(" %" PRIu32 " %" PRIu32, popspike_field(buffer, number, more),
               popspike_word_field(words, number, more));
    } else {
        exit(4);
    }
    printf("\n");
    fflush(stdout);
}

int main(void)
{
    popspike_device device;
    memset(&device, 0, sizeof device);
    static char text[LINE_SIZE];
    while (read_line()) {
        /* Callbacks overwrite the line. */
        strcpy(text, line);
        char *space = strchr(text, ' ');
        const char *rest = space != NULL ? space + 1 : "";
        if (space != NULL) {
            *space = '\0';
        }
        run(&device, text, rest);
    }
    return 0;
}
