// SPDX-License-Identifier: Apache-2.0
// A board in software: the gateware of BoardTop, its UART pins behind a pseudo terminal.
//
//   simulator
//
// Prints the path of the terminal on the standard output, one line. Ends when the standard input
// ends, or on SIGTERM. DIVISOR is the number of clock cycles a bit.
//
// While bytes flow the simulation runs as fast as it can. After IDLE_CYCLES cycles without any it
// only creeps, so that a forgotten board does not keep a processor busy.

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <deque>
#include <memory>
#include <vector>

#include "Vtop.h"
#include "verilated.h"

namespace {

constexpr int kDivisor = DIVISOR;
constexpr long kChunk = 2000;
constexpr long kIdleCycles = 2'000'000;
constexpr int kIdleWait = 20;  // ms
constexpr size_t kOutputLimit = 1 << 20;

volatile sig_atomic_t stopped = 0;

[[noreturn]] void fail(const char* text) {
    std::fprintf(stderr, "%s: %s\n", text, std::strerror(errno));
    std::exit(1);
}

// Bytes from the host, as levels of the line, one for each cycle.
class Sender {
  public:
    void push(uint8_t byte) { bytes_.push_back(byte); }
    bool idle() const { return bits_ == 0 && bytes_.empty(); }
    size_t waiting() const { return bytes_.size(); }

    int level() {
        if (timer_ == 0) {
            if (bits_ > 0) {
                shift_ = (shift_ >> 1) | 0x200;
                --bits_;
            }
            if (bits_ == 0 && !bytes_.empty()) {
                shift_ = 0x200 | (bytes_.front() << 1);
                bytes_.pop_front();
                bits_ = 10;
            }
            if (bits_ == 0) return 1;
            timer_ = kDivisor;
        }
        --timer_;
        return shift_ & 1;
    }

  private:
    std::deque<uint8_t> bytes_;
    unsigned shift_ = 0x3ff;
    int bits_ = 0;
    int timer_ = 0;
};

// Levels of the line to bytes for the host; a bit is taken in its middle.
class Receiver {
  public:
    // True when a byte is complete.
    bool level(int value, uint8_t& byte) {
        if (bits_ == 0) {
            if (!value) {
                bits_ = 10;
                timer_ = kDivisor / 2;
            }
            return false;
        }
        if (--timer_ > 0) return false;
        timer_ = kDivisor;
        --bits_;
        if (bits_ == 9) {
            if (value) bits_ = 0;
        } else if (bits_ > 0) {
            shift_ = (shift_ >> 1) | (value << 7);
        } else if (value) {
            byte = shift_;
            return true;
        }
        return false;
    }

  private:
    unsigned shift_ = 0;
    int bits_ = 0;
    int timer_ = 0;
};

int open_terminal(int& host_side) {
    const int board = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK);
    if (board < 0 || grantpt(board) || unlockpt(board)) fail("cannot open a pseudo terminal");
    // Kept open, so that the terminal outlives a host that leaves.
    host_side = open(ptsname(board), O_RDWR | O_NOCTTY);
    termios settings;
    if (host_side < 0 || tcgetattr(host_side, &settings)) fail("cannot open the terminal");
    cfmakeraw(&settings);
    if (tcsetattr(host_side, TCSANOW, &settings)) fail("cannot set up the terminal");
    std::printf("%s\n", ptsname(board));
    std::fflush(stdout);
    return board;
}

}  // namespace

int main() {
    struct sigaction action = {};
    action.sa_handler = [](int) { stopped = 1; };
    sigaction(SIGTERM, &action, nullptr);
    sigaction(SIGINT, &action, nullptr);
    signal(SIGPIPE, SIG_IGN);

    auto context = std::make_unique<VerilatedContext>();
    auto top = std::make_unique<Vtop>(context.get());
    auto cycle = [&] {
        top->clk = 0;
        top->eval();
        top->clk = 1;
        top->eval();
    };
    top->rx = 1;
    top->rst = 1;
    for (int i = 0; i < 4; ++i) cycle();
    top->rst = 0;

    int host_side = -1;
    const int board = open_terminal(host_side);
    Sender sender;
    Receiver receiver;
    std::vector<uint8_t> output;
    long quiet = 0;

    while (!stopped) {
        const bool idle = quiet >= kIdleCycles;
        pollfd waits[2] = {{STDIN_FILENO, POLLIN, 0}, {board, POLLIN, 0}};
        poll(waits, 2, idle ? kIdleWait : 0);
        if (waits[0].revents) {
            char ignored[256];
            const ssize_t got = read(STDIN_FILENO, ignored, sizeof ignored);
            if (got == 0 || (got < 0 && errno != EINTR && errno != EAGAIN)) break;
        }
        if (waits[1].revents & POLLIN && sender.waiting() < 4096) {
            uint8_t bytes[4096];
            const ssize_t got = read(board, bytes, sizeof bytes);
            for (ssize_t i = 0; i < got; ++i) sender.push(bytes[i]);
        }
        for (long i = 0; i < kChunk; ++i) {
            top->rx = sender.level();
            cycle();
            uint8_t byte;
            if (receiver.level(top->tx, byte)) {
                output.push_back(byte);
                quiet = 0;
            }
        }
        quiet = sender.idle() ? quiet + kChunk : 0;
        if (!output.empty()) {
            const ssize_t sent = write(board, output.data(), output.size());
            if (sent > 0) output.erase(output.begin(), output.begin() + sent);
            if (output.size() > kOutputLimit) output.clear();  // nobody reads
        }
    }
    top->final();
    close(board);
    close(host_side);
    return 0;
}
