// SPDX-License-Identifier: Apache-2.0
// A host that owns an SPI bus: it sends what it has to say, else zeros, and so always listens.
//
// Mode 0, SCK an eighth of the board's clock. The board is deselected after every 16 bytes.

#pragma once

#include <cstdint>
#include <deque>

class SpiLine {
  public:
    void send(uint8_t byte, int) { bytes_.push_back(byte); }
    bool sends() const { return !bytes_.empty() || sending_; }
    // A frame from the board has begun.
    bool receives() const { return in_frame_; }
    size_t waiting() const { return bytes_.size(); }
    uint64_t busy_to() const { return busy_to_; }
    uint64_t busy_from() const { return busy_from_; }

    void cut() {
        bytes_.clear();
        sending_ = in_frame_ = false;
        step_ = 0;
        left_ = 0;
    }

    // Before a clock cycle of the board.
    template <typename Top>
    void drive(Top& top) {
        if (left_ == 0) {  // deselected, for a byte's time
            top.cs = 1;
            top.sck = 0;
            return;
        }
        if (step_ == 0) {
            sending_ = !bytes_.empty();
            out_ = sending_ ? bytes_.front() : 0;
            if (sending_) bytes_.pop_front();
        }
        top.cs = 0;
        top.sck = step_ % kPeriod >= kPeriod / 2;
        top.copi = out_ >> (7 - step_ / kPeriod) & 1;
    }

    // After it; true when a byte for the host is there.
    template <typename Top>
    bool sample(Top& top, int, uint8_t& byte) {
        if (left_ > 0 && step_ % kPeriod == kPeriod / 2 - 1) in_ = in_ << 1 | top.cipo;
        if (++step_ < 8 * kPeriod) return false;
        step_ = 0;
        if (left_ == 0) {
            left_ = kSelection;
            return false;
        }
        --left_;
        if (sending_) busy_to_ += 8 * kPeriod;
        sending_ = false;
        byte = in_;
        // Zeros without a frame before them say nothing.
        const bool counts = byte != 0 || in_frame_;
        if (counts) busy_from_ += 8 * kPeriod;
        in_frame_ = byte != 0;
        return counts;
    }

  private:
    static constexpr int kPeriod = 8;
    static constexpr int kSelection = 16;

    std::deque<uint8_t> bytes_;
    uint8_t out_ = 0;
    uint8_t in_ = 0;
    bool sending_ = false;
    bool in_frame_ = false;
    int step_ = 0;  // clock cycles into this byte
    int left_ = 0;  // bytes of this selection
    uint64_t busy_to_ = 0;
    uint64_t busy_from_ = 0;
};
