// SPDX-License-Identifier: Apache-2.0
// Runs many samples through the compiled accelerator, back to back, as fast as it takes them.
//
//   simulator IMAGE SAMPLES RESULTS PATIENCE SETTLE [ADDRESS VALUE]...
//
// IMAGE    device image, sent through s_axis_network
// SAMPLES  u32 bytes a beat, u32 number of samples, u32 answers a sample, u32 states of a Legendre
//          memory (0 without one), u32 beats of each sample, then all beats
// RESULTS  u32 bytes a record, u32 number of digests; for each sample u64 cycle of the first and of
//          the last beat taken; for each input step of a memory a digest: u64 of the states that
//          were written, u64 of the cycles in which they were; then for each record u64 cycle,
//          u8 last, record bytes; little endian
// PATIENCE cycles without any transfer after which the run fails
// SETTLE   cycles after which the core is idle
// ADDRESS  register that is written after the load, with VALUE
//
// Cycles are counted from the first beat of the first sample, which is taken in cycle 0.
// A digest is the sum of the numbers, each times an odd key that its state's index gives, see
// sim/series.py. The ports of the memory's probe are there if STATE_BITS, the width of a state, is
// defined.
//
// Each line "done N" on the standard output is progress. Anything that goes wrong is one line on
// the standard error and exit code 1.

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "Vtop.h"
#include "verilated.h"

namespace {

constexpr uint8_t kStatusRegister = 24;
constexpr uint32_t kActive = 2;
// Cycles after which a sample that is done is reported.
constexpr uint64_t kReport = 1'000'000;

[[noreturn]] void fail(const std::string& text) {
    std::fprintf(stderr, "%s\n", text.c_str());
    std::exit(1);
}

std::vector<uint8_t> read_file(const char* path) {
    std::FILE* file = std::fopen(path, "rb");
    if (!file) fail(std::string("cannot read ") + path);
    std::vector<uint8_t> bytes;
    uint8_t chunk[65536];
    for (size_t got; (got = std::fread(chunk, 1, sizeof chunk, file)) > 0;)
        bytes.insert(bytes.end(), chunk, chunk + got);
    std::fclose(file);
    return bytes;
}

uint32_t word(const std::vector<uint8_t>& bytes, size_t index) {
    uint32_t value;
    std::memcpy(&value, bytes.data() + 4 * index, 4);
    return value;
}

template <class Port>
void set(Port& port, const uint8_t* bytes, size_t count) {
    std::memset(&port, 0, sizeof port);
    std::memcpy(&port, bytes, count < sizeof port ? count : sizeof port);
}

template <class Value>
void append(std::vector<uint8_t>& bytes, const Value& value) {
    const auto* begin = reinterpret_cast<const uint8_t*>(&value);
    bytes.insert(bytes.end(), begin, begin + sizeof value);
}

// The splitmix64 sequence from 0, made odd.
uint64_t key(uint64_t index) {
    uint64_t mixed = (index + 1) * 0x9E3779B97F4A7C15u;
    mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9u;
    mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EBu;
    return (mixed ^ mixed >> 31) | 1;
}

class Bench {
  public:
    Bench() : top_(std::make_unique<Vtop>(&context_)) {
        top_->rst = 1;
        for (int i = 0; i < 4; ++i) tick();
        top_->rst = 0;
        top_->m_axis_result_tready = 1;
    }

    void load(const std::vector<uint8_t>& image, uint64_t patience) {
        uint64_t waited = 0;
        for (size_t index = 0; index < image.size();) {
            set(top_->s_axis_network_tdata, &image[index], 1);
            top_->s_axis_network_tlast = index + 1 == image.size();
            top_->s_axis_network_tvalid = 1;
            settle();
            const bool taken = top_->s_axis_network_tready;
            tick();
            index += taken;
            waited = taken ? 0 : waited + 1;
            if (waited > patience) fail("byte " + std::to_string(index) + " was not taken");
        }
        top_->s_axis_network_tvalid = 0;
        uint32_t status = 0;
        for (int poll = 0; poll < 8; ++poll) status = read_register(kStatusRegister);
        if ((status & 0xff) != kActive)
            fail("network was refused, status register " + std::to_string(status));
    }

    void write(uint8_t address, uint32_t value) {
        top_->reg_addr = address;
        top_->reg_wdata = value;
        top_->reg_write = 1;
        tick();
        top_->reg_write = 0;
    }

    void wait(uint64_t cycles) {
        for (; cycles > 0; --cycles) tick();
    }

    void run(const std::vector<uint8_t>& samples, uint64_t patience) {
        const size_t beat_bytes = word(samples, 0);
        const size_t count = word(samples, 1), answers = word(samples, 2);
        const size_t states = word(samples, 3);
        const uint32_t* lengths = reinterpret_cast<const uint32_t*>(samples.data()) + 4;
        const uint8_t* next = samples.data() + 16 + 4 * count;
        size_t sent = 0, done = 0, beat = 0;
        uint64_t cycle = 0, last_transfer = 0, last_report = 0;
        bool started = false;
        offer(lengths, sent, count, beat, next, beat_bytes);
        while (done < count * answers) {
            settle();
            const bool taken = top_->s_axis_sample_tvalid && top_->s_axis_sample_tready;
            if (taken) {
                if (!started) cycle = last_transfer = 0;
                started = true;
                if (beat == 0) append(stamps, cycle);
                if (top_->s_axis_sample_tlast) append(stamps, cycle);
                last_transfer = cycle;
            }
            if (top_->m_axis_result_tvalid) {
                append(records, cycle);
                append(records, static_cast<uint8_t>(top_->m_axis_result_tlast));
                append(records, top_->m_axis_result_tdata);
                last_transfer = cycle;
                if (top_->m_axis_result_tlast && ++done % answers == 0 &&
                    (done % (50 * answers) == 0 || cycle - last_report > kReport)) {
                    std::printf("done %zu\n", done / answers);
                    std::fflush(stdout);
                    last_report = cycle;
                }
            }
            note_state(cycle, states);
            rise();
            if (taken) {
                next += beat_bytes;
                if (++beat == lengths[sent]) {
                    beat = 0;
                    ++sent;
                }
                offer(lengths, sent, count, beat, next, beat_bytes);
            }
            if (++cycle - last_transfer > patience)
                fail("nothing moved for " + std::to_string(patience) + " cycles after " +
                     std::to_string(done) + " results");
        }
        std::printf("done %zu\n", count);
    }

    std::vector<uint8_t> stamps, records, digests;
    static constexpr uint32_t record_bytes = sizeof(Vtop::m_axis_result_tdata);

  private:
    void offer(const uint32_t* lengths, size_t sent, size_t count, size_t beat,
               const uint8_t* bytes, size_t beat_bytes) {
        top_->s_axis_sample_tvalid = sent < count;
        if (sent == count) return;
        set(top_->s_axis_sample_tdata, bytes, beat_bytes);
        top_->s_axis_sample_tlast = beat + 1 == lengths[sent];
    }

    void note_state([[maybe_unused]] uint64_t cycle, [[maybe_unused]] size_t states) {
#ifdef STATE_BITS
        if (!top_->probe_memory_valid) return;
        const uint64_t factor = key(top_->probe_memory_row);
        const int unused = 64 - STATE_BITS;
        const uint64_t bits = top_->probe_memory_value;
        digest_ += factor * static_cast<uint64_t>(static_cast<int64_t>(bits << unused) >> unused);
        cycle_digest_ += factor * cycle;
        if (++written_ < states) return;
        append(digests, digest_);
        append(digests, cycle_digest_);
        digest_ = cycle_digest_ = written_ = 0;
#endif
    }

    uint32_t read_register(uint8_t address) {
        top_->reg_addr = address;
        tick();
        settle();
        return top_->reg_rdata;
    }

    void settle() {
        top_->clk = 0;
        top_->eval();
    }

    void rise() {
        top_->clk = 1;
        top_->eval();
    }

    void tick() {
        settle();
        rise();
    }

    uint64_t digest_ = 0, cycle_digest_ = 0, written_ = 0;
    VerilatedContext context_;
    std::unique_ptr<Vtop> top_;
};

}  // namespace

int main(int argc, char** argv) {
    if (argc < 6 || argc % 2)
        fail("usage: simulator IMAGE SAMPLES RESULTS PATIENCE SETTLE [ADDRESS VALUE]...");
    const uint64_t patience = std::strtoull(argv[4], nullptr, 10);
    Bench bench;
    bench.load(read_file(argv[1]), patience);
    for (int place = 6; place < argc; place += 2)
        bench.write(std::strtoul(argv[place], nullptr, 10), std::strtoul(argv[place + 1], nullptr, 10));
    bench.wait(std::strtoull(argv[5], nullptr, 10));
    bench.run(read_file(argv[2]), patience);
    std::FILE* file = std::fopen(argv[3], "wb");
    if (!file) fail(std::string("cannot write ") + argv[3]);
    const uint32_t digests = bench.digests.size() / 16;
    std::fwrite(&Bench::record_bytes, 4, 1, file);
    std::fwrite(&digests, 4, 1, file);
    std::fwrite(bench.stamps.data(), 1, bench.stamps.size(), file);
    std::fwrite(bench.digests.data(), 1, bench.digests.size(), file);
    std::fwrite(bench.records.data(), 1, bench.records.size(), file);
    if (std::fclose(file)) fail(std::string("cannot write ") + argv[3]);
    return 0;
}
