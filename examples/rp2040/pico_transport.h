/* SPDX-License-Identifier: Apache-2.0 */
/* The transport of the driver over an SPI bus of an RP2040. */

#ifndef PICO_TRANSPORT_H
#define PICO_TRANSPORT_H

#include "hardware/spi.h"
#include "popspike.h"

/* Context of the transport. */
typedef struct {
    spi_inst_t *spi;
    unsigned rx, tx, sck, select;
} pico_bus;

extern const popspike_transport pico_transport;

/* Set up bus and pins at a speed of at most an eighth of the gateware's clock; return the speed. */
unsigned pico_bus_init(const pico_bus *bus, unsigned hz);

#endif
