// SPDX-License-Identifier: Apache-2.0
// The host's side of a serial line, one level a clock cycle.

#pragma once

#include <cstdint>
#include <deque>

// Bytes from the host, as levels of the line.
class Sender {
  public:
    void push(uint8_t byte, int divisor) { bytes_.push_back({byte, divisor}); }
    bool idle() const { return bits_ == 0 && bytes_.empty(); }
    size_t waiting() const { return bytes_.size(); }
    uint64_t busy_cycles() const { return busy_; }
    void cut() {
        bytes_.clear();
        bits_ = timer_ = 0;
    }

    int level() {
        if (timer_ == 0) {
            if (bits_ > 0) {
                shift_ = (shift_ >> 1) | 0x200;
                --bits_;
            }
            if (bits_ == 0 && !bytes_.empty()) {
                shift_ = 0x200 | (bytes_.front().value << 1);
                divisor_ = bytes_.front().divisor;
                bytes_.pop_front();
                bits_ = 10;
                busy_ += 10 * divisor_;
            }
            if (bits_ == 0) return 1;
            timer_ = divisor_;
        }
        --timer_;
        return shift_ & 1;
    }

  private:
    struct Byte {
        uint8_t value;
        int divisor;  // of the moment at which the host sent it
    };
    std::deque<Byte> bytes_;
    unsigned shift_ = 0x3ff;
    int bits_ = 0;
    int timer_ = 0;
    int divisor_ = 2;
    uint64_t busy_ = 0;
};

// Levels of the line to bytes for the host; a bit is taken in its middle.
class Receiver {
  public:
    uint64_t busy_cycles() const { return busy_; }
    bool idle() const { return bits_ == 0; }
    void cut() { bits_ = 0; }

    // True when a byte is complete.
    bool level(int value, int divisor, uint8_t& byte) {
        if (bits_ == 0) {
            if (!value) {
                bits_ = 10;
                timer_ = divisor / 2;
            }
            return false;
        }
        if (--timer_ > 0) return false;
        timer_ = divisor;
        --bits_;
        if (bits_ == 9) {
            if (value) bits_ = 0;
        } else if (bits_ > 0) {
            shift_ = (shift_ >> 1) | (value << 7);
        } else if (value) {
            byte = shift_;
            busy_ += 10 * divisor;
            return true;
        }
        return false;
    }

  private:
    unsigned shift_ = 0;
    int bits_ = 0;
    int timer_ = 0;
    uint64_t busy_ = 0;
};

// Both.
class UartLine {
  public:
    void send(uint8_t byte, int divisor) { sender_.push(byte, divisor); }
    bool sends() const { return !sender_.idle(); }
    bool receives() const { return !receiver_.idle(); }
    size_t waiting() const { return sender_.waiting(); }
    uint64_t busy_to() const { return sender_.busy_cycles(); }
    uint64_t busy_from() const { return receiver_.busy_cycles(); }

    void cut() {
        sender_.cut();
        receiver_.cut();
    }

    // Before a clock cycle of the board.
    template <typename Top>
    void drive(Top& top) {
        top.rx = sender_.level();
    }

    // After it; true when a byte for the host is there.
    template <typename Top>
    bool sample(Top& top, int divisor, uint8_t& byte) {
        return receiver_.level(top.tx, divisor, byte);
    }

  private:
    Sender sender_;
    Receiver receiver_;
};
