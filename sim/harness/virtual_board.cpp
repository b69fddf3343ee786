// SPDX-License-Identifier: Apache-2.0
// A board in software: the gateware of BoardTop, with a host's side of its line.
//
//   simulator CLOCK_HZ terminal [FLASH]   the line is behind a pseudo terminal
//   simulator CLOCK_HZ stepped [FLASH]    the line is driven by commands
//
// Prints the path of the terminal (or "stepped") on the standard output, one line. Then it takes
// commands, one a line, and answers each with one line. Ends when the standard input ends, or on
// SIGTERM. With SPI defined the line is SPI, else serial; DIVISOR is the number of clock cycles a
// bit at first. If CLOCK_HZ is not 0, the speed of the terminal decides later ones. With FLASH
// defined the board has a flash, and the file FLASH is what it holds.
//
//   reset           pulse the reset pin; what is on the line stays
//   power           power fails and comes back; what is on the line is lost, the flash is read anew
//   cycles          answers: clock cycles since the start, cycles in which the line to the board
//                   was busy, the same from the board
//   divisor N       stepped only: clock cycles a bit, for what is sent from now on
//   send HEX        stepped only: bytes for the board; no time passes
//   run N           stepped only: let N cycles pass; answers: bytes from the board in hex or "-",
//                   then the clock cycles since the start
//   receive N       stepped only: the same, at most N cycles, until bytes came and no more do
//   until N         stepped only: let cycles pass until a network is active, at most N; answers: 1 if
//                   one is, else 0, then the clock cycles since the start; bytes that come are lost
//
// With a terminal the simulation runs as fast as it can while bytes flow. After IDLE_CYCLES cycles
// without any it only creeps, so that a forgotten board does not keep a processor busy. Stepped,
// time passes only when a command says so: the same commands give the same cycles.

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "Vtop.h"
#include "verilated.h"

#ifdef FLASH
#include "flash_model.h"
#endif
#ifdef SPI
#include "spi_line.h"
using Line = SpiLine;
#else
#include "uart_line.h"
using Line = UartLine;
#endif

namespace {

constexpr long kChunk = 2000;
constexpr long kIdleCycles = 2'000'000;
constexpr int kIdleWait = 20;  // ms
constexpr size_t kOutputLimit = 1 << 20;

volatile sig_atomic_t stopped = 0;

[[noreturn]] void fail(const char* text) {
    std::fprintf(stderr, "%s: %s\n", text, std::strerror(errno));
    std::exit(1);
}

// The gateware, the line, and the flash.
class Board {
  public:
#ifdef FLASH
    Board(const char* flash, double clock_hz) : flash_(flash, clock_hz) { make(); }
#else
    Board(const char*, double) { make(); }
#endif
    ~Board() { top_->final(); }

    void send(uint8_t byte) { line_.send(byte, divisor_); }
    const Line& line() const { return line_; }
    void set_divisor(int divisor) { divisor_ = divisor; }
    int divisor() const { return divisor_; }

    // One clock cycle; true when a byte came.
    bool cycle(uint8_t& byte) {
        line_.drive(*top_);
        tick();
        return line_.sample(*top_, divisor_, byte);
    }

    void reset() {
        uint8_t byte;
        top_->rst = 1;
        for (int i = 0; i < 4; ++i) cycle(byte);
        top_->rst = 0;
    }

    void power() {
        line_.cut();
        top_->final();
#ifdef FLASH
        flash_.power();
#endif
        make();
    }

    bool active() const { return top_->active; }
    uint64_t count() const { return cycles_; }
    std::string cycles() const {
        return std::to_string(cycles_) + " " + std::to_string(line_.busy_to()) + " " +
               std::to_string(line_.busy_from());
    }

  private:
    // As after configuration: every memory and register as it is initially.
    void make() {
        top_.reset();
        context_ = std::make_unique<VerilatedContext>();
        top_ = std::make_unique<Vtop>(context_.get());
        line_.drive(*top_);
        top_->rst = 1;
        for (int i = 0; i < 4; ++i) tick();
        top_->rst = 0;
    }

    void tick() {
        top_->clk = 0;
        top_->eval();
        top_->clk = 1;
        top_->eval();
#ifdef FLASH
        top_->flash_cipo = flash_.cycle(top_->flash_cs, top_->flash_sck, top_->flash_copi);
#endif
        ++cycles_;
    }

    std::unique_ptr<VerilatedContext> context_;
    std::unique_ptr<Vtop> top_;
    Line line_;
#ifdef FLASH
    Flash flash_;
#endif
    int divisor_ = DIVISOR;
    uint64_t cycles_ = 0;
};

#ifdef __linux__
// Speeds beside the standard ones; the header that has this does not go with <termios.h>.
struct Termios2 {
    tcflag_t iflag, oflag, cflag, lflag;
    cc_t line, cc[19];
    speed_t ispeed, ospeed;
};
constexpr unsigned long kGetTermios2 = _IOR('T', 0x2A, Termios2);
constexpr unsigned long kSetTermios2 = _IOW('T', 0x2B, Termios2);
constexpr tcflag_t kSpeedMask = 0x100F, kOtherSpeed = 0x1000;
#endif

// The pseudo terminal.
class Terminal {
  public:
    explicit Terminal(long baud) {
        board_ = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK);
        if (board_ < 0 || grantpt(board_) || unlockpt(board_))
            fail("cannot open a pseudo terminal");
        // Kept open, so that the terminal outlives a host that leaves.
        host_side_ = open(ptsname(board_), O_RDWR | O_NOCTTY);
        termios settings;
        if (host_side_ < 0 || tcgetattr(host_side_, &settings)) fail("cannot open the terminal");
        cfmakeraw(&settings);
        if (tcsetattr(host_side_, TCSANOW, &settings)) fail("cannot set up the terminal");
        if (baud) set_speed(baud);
    }
    ~Terminal() {
        close(board_);
        close(host_side_);
    }

    int file() const { return board_; }
    const char* path() const { return ptsname(board_); }

    // Bits a second that the host has chosen.
    long speed() const {
#ifdef __linux__
        Termios2 settings;
        return ioctl(host_side_, kGetTermios2, &settings) ? 0 : settings.ospeed;
#else
        termios settings;
        return tcgetattr(host_side_, &settings) ? 0 : cfgetospeed(&settings);
#endif
    }

  private:
    void set_speed(long baud) {
#ifdef __linux__
        Termios2 settings;
        if (ioctl(host_side_, kGetTermios2, &settings)) fail("cannot read the terminal's speed");
        settings.cflag = (settings.cflag & ~kSpeedMask) | kOtherSpeed;
        settings.ispeed = settings.ospeed = baud;
        if (ioctl(host_side_, kSetTermios2, &settings)) fail("cannot set the terminal's speed");
#else
        termios settings;
        if (tcgetattr(host_side_, &settings)) fail("cannot read the terminal's speed");
        cfsetspeed(&settings, baud);
        if (tcsetattr(host_side_, TCSANOW, &settings)) fail("cannot set the terminal's speed");
#endif
    }

    int board_ = -1;
    int host_side_ = -1;
};

// Lines of the standard input.
class Commands {
  public:
    // False at the end of the input.
    bool read_more() {
        char bytes[65536];
        const ssize_t got = read(STDIN_FILENO, bytes, sizeof bytes);
        if (got < 0 && (errno == EINTR || errno == EAGAIN)) return true;
        if (got <= 0) return false;
        text_.append(bytes, got);
        return true;
    }

    std::optional<std::string> next() {
        const size_t end = text_.find('\n');
        if (end == std::string::npos) return {};
        std::string line = text_.substr(0, end);
        text_.erase(0, end + 1);
        return line;
    }

  private:
    std::string text_;
};

std::string to_hex(const std::vector<uint8_t>& bytes) {
    static const char digits[] = "0123456789abcdef";
    if (bytes.empty()) return "-";
    std::string text;
    for (uint8_t byte : bytes) {
        text += digits[byte >> 4];
        text += digits[byte & 15];
    }
    return text;
}

// What all boards do; none for another command.
std::optional<std::string> control(Board& board, const std::string& word) {
    if (word == "reset") {
        board.reset();
        return "done";
    }
    if (word == "power") {
        board.power();
        return "done";
    }
    if (word == "cycles") return board.cycles();
    return {};
}

std::string step(Board& board, const std::string& word, const std::string& rest) {
    if (auto answer = control(board, word)) return *answer;
    if (word == "send") {
        for (size_t i = 0; i + 1 < rest.size(); i += 2)
            board.send(std::stoi(rest.substr(i, 2), nullptr, 16));
        return "done";
    }
    if (word == "divisor" && std::atoi(rest.c_str()) >= 2) {
        board.set_divisor(std::atoi(rest.c_str()));
        return "done";
    }
    if (word == "until") {
        uint8_t byte;
        for (long i = std::atol(rest.c_str()); i > 0 && !board.active(); --i) board.cycle(byte);
        return std::to_string(board.active()) + " " + std::to_string(board.count());
    }
    if (word == "run" || word == "receive") {
        const bool waits = word == "receive";
        const long quiet = 20 * board.divisor();  // after bytes that belong together
        std::vector<uint8_t> output;
        long last = 0;
        for (long i = 0, end = std::atol(rest.c_str()); i < end; ++i) {
            uint8_t byte;
            if (board.cycle(byte)) output.push_back(byte);
            if (board.line().receives()) last = i;
            if (waits && !output.empty() && i - last > quiet) break;
        }
        return to_hex(output) + " " + std::to_string(board.count());
    }
    return "unknown command: " + word;
}

void answer_all(Commands& commands, const auto& carry_out) {
    while (auto line = commands.next()) {
        const size_t space = line->find(' ');
        const std::string rest = space == std::string::npos ? "" : line->substr(space + 1);
        std::printf("%s\n", carry_out(line->substr(0, space), rest).c_str());
    }
    std::fflush(stdout);
}

void run_stepped(Board& board) {
    Commands commands;
    std::printf("stepped\n");
    std::fflush(stdout);
    while (!stopped && commands.read_more())
        answer_all(commands, [&](const auto& word, const auto& rest) {
            return step(board, word, rest);
        });
}

void run_terminal(Board& board, long clock_hz) {
    Commands commands;
    Terminal terminal(clock_hz / DIVISOR);
    std::printf("%s\n", terminal.path());
    std::fflush(stdout);
    std::vector<uint8_t> output;
    long quiet = 0;
    while (!stopped) {
        pollfd waits[2] = {{STDIN_FILENO, POLLIN, 0}, {terminal.file(), POLLIN, 0}};
        poll(waits, 2, quiet >= kIdleCycles ? kIdleWait : 0);
        if (waits[0].revents) {
            if (!commands.read_more()) break;
            answer_all(commands, [&](const auto& word, const auto&) {
                return control(board, word).value_or("unknown command: " + word);
            });
        }
        if (clock_hz) {
            const long baud = terminal.speed();
            const long divisor = baud > 0 ? (clock_hz + baud / 2) / baud : DIVISOR;
            board.set_divisor(divisor < 2 ? 2 : divisor);
        }
        if (waits[1].revents & POLLIN && board.line().waiting() < 4096) {
            uint8_t bytes[4096];
            const ssize_t got = read(terminal.file(), bytes, sizeof bytes);
            for (ssize_t i = 0; i < got; ++i) board.send(bytes[i]);
        }
        quiet += kChunk;
        for (long i = 0; i < kChunk; ++i) {
            uint8_t byte;
            if (board.cycle(byte)) {
                output.push_back(byte);
                quiet = 0;
            }
        }
        if (board.line().sends()) quiet = 0;
        if (!output.empty()) {
            const ssize_t sent = write(terminal.file(), output.data(), output.size());
            if (sent > 0) output.erase(output.begin(), output.begin() + sent);
            if (output.size() > kOutputLimit) output.clear();  // nobody reads
        }
    }
}

}  // namespace

int main(int count, char** arguments) {
    struct sigaction action = {};
    action.sa_handler = [](int) { stopped = 1; };
    sigaction(SIGTERM, &action, nullptr);
    sigaction(SIGINT, &action, nullptr);
    signal(SIGPIPE, SIG_IGN);

    if (count < 3) fail("a clock and a kind of line are needed");
    const long clock_hz = std::atol(arguments[1]);
    Board board(count > 3 ? arguments[3] : "", clock_hz);
    if (!std::strcmp(arguments[2], "stepped"))
        run_stepped(board);
    else
        run_terminal(board, clock_hz);
    return 0;
}
