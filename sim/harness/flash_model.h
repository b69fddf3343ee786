// SPDX-License-Identifier: Apache-2.0
// An SPI flash of the 25 series, read in mode 0, one clock cycle of the board after another.
//
// 0xAB  release from power-down: it listens again kWakeSeconds after the deselection
// 0x03  read: 3 bytes of address, then as many bytes as the host likes; the first follows the last
//
// It is in power-down when the board powers up, as the tools of iCE40 leave it. While it does not
// drive its output, that is noise. Bytes that no file gives are 0xFF. It is not written here: what
// a programmer does while the board is off changes the file.

#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

class Flash {
  public:
    static constexpr size_t kSize = 4 << 20;
    static constexpr double kWakeSeconds = 30e-6;

    // A clock of 0 Hz is taken for 50 MHz, as the gateware does.
    Flash(std::string path, double clock_hz)
        : path_(std::move(path)), wake_cycles_(kWakeSeconds * (clock_hz > 0 ? clock_hz : 50e6)) {
        power();
    }

    // The power comes back, and with it what the file holds now.
    void power() {
        asleep_ = true;
        listens_ = now_;
        deselect();
        bytes_.assign(kSize, 0xFF);
        std::FILE* file = std::fopen(path_.c_str(), "rb");
        if (!file) {
            std::perror(path_.c_str());
            std::exit(1);
        }
        std::fread(bytes_.data(), 1, kSize, file);
        std::fclose(file);
    }

    // The pins in this cycle; returns what the flash drives until the next one.
    bool cycle(bool cs, bool sck, bool copi) {
        ++now_;
        if (cs) {
            if (!was_cs_) end();
            deselect();
        } else {
            if (sck && !was_sck_) rise(copi);
            if (!sck && was_sck_) fall();
        }
        was_cs_ = cs;
        was_sck_ = sck && !cs;
        noise_ = noise_ * 1664525 + 1013904223;
        return drives_ ? level_ : noise_ >> 31;
    }

  private:
    void deselect() {
        count_ = 0;
        drives_ = false;
    }

    // A command takes effect when the flash is deselected behind it.
    void end() {
        if (count_ < 8 || now_ < listens_) return;
        if (command_ == 0xAB && asleep_) {
            asleep_ = false;
            listens_ = now_ + wake_cycles_;
        }
    }

    void rise(bool copi) {
        shift_ = shift_ << 1 | copi;
        ++count_;
        if (count_ == 8) command_ = shift_ & 0xFF;
        if (count_ == 32) address_ = shift_ & 0xFFFFFF;
    }

    void fall() {
        if (asleep_ || now_ < listens_) return;
        if (command_ != 0x03 || count_ < 32) return;
        const uint64_t bit = count_ - 32;
        level_ = bytes_[(address_ + bit / 8) % kSize] >> (7 - bit % 8) & 1;
        drives_ = true;
    }

    std::string path_;
    std::vector<uint8_t> bytes_;
    uint64_t wake_cycles_;
    uint64_t now_ = 0;
    uint64_t listens_ = 0;  // from this cycle on
    uint64_t count_ = 0;    // bits of this selection
    uint32_t shift_ = 0;
    uint32_t command_ = 0;
    uint32_t address_ = 0;
    uint32_t noise_ = 1;
    bool asleep_ = true;
    bool was_cs_ = true;
    bool was_sck_ = false;
    bool drives_ = false;
    bool level_ = false;
};
