// SPDX-License-Identifier: Apache-2.0
// Single-port RAM of the iCE40 UltraPlus, 16384 x 16, as far as it is used here. What it offers
// after a write is not specified by the maker: here it is garbage, so that nobody relies on it.

module SB_SPRAM256KA (
    input [13:0] ADDRESS,
    input [15:0] DATAIN,
    input [3:0] MASKWREN,
    input WREN,
    input CHIPSELECT,
    input CLOCK,
    input STANDBY,
    input SLEEP,
    input POWEROFF,
    output reg [15:0] DATAOUT
);
    reg [15:0] mem [0:16383];
    wire active = CHIPSELECT & ~STANDBY & ~SLEEP & POWEROFF;
    integer nibble;

    always @(posedge CLOCK) begin
        if (active & WREN) begin
            for (nibble = 0; nibble < 4; nibble = nibble + 1)
                if (MASKWREN[nibble])
                    mem[ADDRESS][4 * nibble +: 4] <= DATAIN[4 * nibble +: 4];
            DATAOUT <= ~ADDRESS ^ DATAIN;
        end else if (active) begin
            DATAOUT <= mem[ADDRESS];
        end
    end
endmodule
