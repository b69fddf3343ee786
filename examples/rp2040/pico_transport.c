/* SPDX-License-Identifier: Apache-2.0 */

#include "pico_transport.h"

#include "hardware/gpio.h"
#include "pico/time.h"

/* Sent while the board is asked whether it has something to say: an empty frame. */
#define FILLER 0x00

unsigned pico_bus_init(const pico_bus *bus, unsigned hz)
{
    const unsigned speed = spi_init(bus->spi, hz);
    spi_set_format(bus->spi, 8, SPI_CPOL_0, SPI_CPHA_0, SPI_MSB_FIRST);
    gpio_set_function(bus->rx, GPIO_FUNC_SPI);
    gpio_set_function(bus->tx, GPIO_FUNC_SPI);
    gpio_set_function(bus->sck, GPIO_FUNC_SPI);
    /* By hand: in this mode the hardware would let go of it after each byte. */
    gpio_init(bus->select);
    gpio_put(bus->select, true);
    gpio_set_dir(bus->select, GPIO_OUT);
    return speed;
}

static bool pico_write(void *context, const uint8_t *bytes, size_t count)
{
    const pico_bus *bus = context;
    gpio_put(bus->select, false);
    const int sent = spi_write_blocking(bus->spi, bytes, count);
    gpio_put(bus->select, true);
    return sent == (int)count;
}

/* The bus brings bytes whenever it is asked, so there is nothing to wait for. */
static int pico_read(void *context, uint8_t *bytes, size_t count, uint32_t timeout_ms)
{
    const pico_bus *bus = context;
    (void)timeout_ms;
    gpio_put(bus->select, false);
    const int got = spi_read_blocking(bus->spi, FILLER, bytes, count);
    gpio_put(bus->select, true);
    return got;
}

static uint32_t pico_milliseconds(void *context)
{
    (void)context;
    return to_ms_since_boot(get_absolute_time());
}

const popspike_transport pico_transport = {pico_write, pico_read, pico_milliseconds};
