// SPDX-License-Identifier: Apache-2.0
// Bytes of a line through the compiled CobsDecoder and FrameReceiver.
//
//   simulator LINE SEED DRAINED
//
// LINE     file with the bytes of the line
// SEED     of the pauses between bytes and of the stalls behind the receiver
// DRAINED  1: after every zero wait until everything has left the ring; 0: do not wait
//
// Prints, in order, "F HEX" for a frame that leaves, "E N" if byte N of the line made the receiver
// drop a malformed frame, "O N" if it made it drop one for which there was no room; at the end
// "done CYCLES". A byte that is not taken, or a frame that does not leave, is one line on the
// standard error and exit code 1.

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "Vtop.h"
#include "verilated.h"

namespace {

// The reader offers a byte within so many cycles if it has one.
constexpr int kReaderLatency = 8;
constexpr long kPatience = 1'000'000;

[[noreturn]] void fail(const char* text, size_t place) {
    std::fprintf(stderr, "%s at byte %zu of the line\n", text, place);
    std::exit(1);
}

}  // namespace

int main(int count, char** arguments) {
    if (count != 4) fail("three arguments are needed", 0);
    std::FILE* file = std::fopen(arguments[1], "rb");
    if (!file) fail("cannot read the line", 0);
    std::vector<uint8_t> line;
    for (int byte; (byte = std::fgetc(file)) != EOF;) line.push_back(byte);
    std::fclose(file);
    std::mt19937 random(std::strtoul(arguments[2], nullptr, 10));
    const bool drained = arguments[3][0] == '1';

    auto context = std::make_unique<VerilatedContext>();
    auto top = std::make_unique<Vtop>(context.get());
    std::string frame;
    uint64_t cycles = 0;
    size_t place = 0;
    int silent = 0;  // cycles without anything at the output
    int stall = 0;   // cycles in which nobody takes the output
    char text[8];

    // One cycle; true if the byte offered was taken.
    auto cycle = [&](bool offered) {
        if (stall > 0)
            --stall;
        else if (random() % 64 == 0)
            stall = random() % 40;
        top->clk = 0;
        top->line_valid = offered;
        top->line = offered ? line[place] : 0xA5;
        top->byte_ready = stall == 0;
        top->eval();
        const bool taken = offered && top->line_ready;
        if (top->byte_valid && top->byte_ready) {
            std::snprintf(text, sizeof text, "%02x", top->byte);
            frame += text;
            if (top->byte_last) {
                std::printf("F %s\n", frame.c_str());
                frame.clear();
            }
        }
        silent = top->byte_valid ? 0 : silent + 1;
        if (top->frame_error) std::printf("E %zu\n", place);
        if (top->overrun) std::printf("O %zu\n", place);
        top->clk = 1;
        top->eval();
        ++cycles;
        return taken;
    };
    auto drain = [&] {
        silent = 0;
        for (long i = 0; silent < kReaderLatency; ++i) {
            cycle(false);
            if (i == kPatience) fail("no end of frames", place);
        }
    };

    top->rst = 1;
    cycle(false);
    top->rst = 0;
    int most = 0;  // longest pause before a byte; another one for each frame
    while (place < line.size()) {
        for (int pause = most ? random() % (most + 1) : 0; pause > 0; --pause) cycle(false);
        for (long i = 0; !cycle(true); ++i)
            if (i == kPatience) fail("a byte is not taken", place);
        const bool ends = line[place] == 0;
        ++place;
        if (!ends) continue;
        if (drained) drain();
        const int kinds[] = {0, 0, 1, 3, 20};
        most = kinds[random() % 5];
    }
    drain();
    if (!frame.empty()) fail("a frame without end", place);
    std::printf("done %llu\n", static_cast<unsigned long long>(cycles));
    top->final();
    return 0;
}
