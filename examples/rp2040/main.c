/* SPDX-License-Identifier: Apache-2.0 */
/* pico-ice: the RP2040 gives the FPGA its clock, lets it start, loads a network over SPI and has
   samples classified; what happens is told on the USB serial port. */

#include <stdio.h>

#include "demo.h"
#include "hardware/clocks.h"
#include "hardware/gpio.h"
#include "pico/stdlib.h"
#include "pico_transport.h"

/* Pins of the pico-ice. */
#define CLOCK_PIN 24
#define CRESET_PIN 27
#define CDONE_PIN 26
/* 48 MHz of USB through 4: 12 MHz. */
#define CLOCK_DIVIDER 4
/* An eighth of the slowest gateware's clock; faster once the board has told its own. */
#define FIRST_HZ 1000000u

static const pico_bus bus = {.spi = spi0, .rx = 4, .tx = 7, .sck = 6, .select = 5};

static void start_fpga(void)
{
    clock_gpio_init(CLOCK_PIN, CLOCKS_CLK_GPOUT0_CTRL_AUXSRC_VALUE_CLK_USB, CLOCK_DIVIDER);
    gpio_init(CDONE_PIN);
    /* High: the FPGA takes its bitstream from its flash. */
    gpio_init(CRESET_PIN);
    gpio_put(CRESET_PIN, true);
    gpio_set_dir(CRESET_PIN, GPIO_OUT);
    while (!gpio_get(CDONE_PIN)) {
        sleep_ms(1);
    }
}

static bool begin(popspike_device *device)
{
    popspike_error error;
    uint32_t clock_hz;
    if (!demo_begin(device, &error)) {
        if (error == POPSPIKE_OK) {
            printf("the board's design is another one than that of data.c\n");
            return false;
        }
        printf("error %d, refused for reason %u (%u)\n", (int)error, device->reason,
               device->detail);
        return false;
    }
    if (popspike_read(device, POPSPIKE_REG_CLOCK_HZ, &clock_hz, 1) == POPSPIKE_OK &&
        clock_hz / 8u > FIRST_HZ) {
        printf("bus at %u Hz\n", spi_set_baudrate(bus.spi, clock_hz / 8u));
    }
    return true;
}

int main(void)
{
    stdio_init_all();
    start_fpga();
    pico_bus_init(&bus, FIRST_HZ);
    popspike_device device;
    popspike_init(&device, &pico_transport, (void *)(uintptr_t)&bus);
    while (!begin(&device)) {
        sleep_ms(1000);
    }
    for (uint16_t sample = 0;; sample = (uint16_t)((sample + 1u) % demo_count)) {
        popspike_result result;
        const popspike_error error = demo_classify(&device, sample, &result);
        if (error != POPSPIKE_OK) {
            printf("sample %u: error %d\n", sample, (int)error);
        } else {
            printf("sample %u: class %u (golden model: %u), %lu cycles\n", sample, result.winner,
                   demo_classes[sample], (unsigned long)result.cycles);
        }
        sleep_ms(500);
    }
}
