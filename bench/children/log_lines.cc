#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <string>

// log_lines TOTAL: writes TOTAL bytes of lines as servers log them, the same ones every time, the last one cut off.

namespace {

constexpr std::size_t kBlock = 1u << 20;

/// splitmix64.
class Numbers {
  public:
    std::uint64_t next() {
        auto z = state_ += 0x9E3779B97F4A7C15;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }
    unsigned below(unsigned limit) { return static_cast<unsigned>(next() % limit); }

  private:
    std::uint64_t state_ = 7;
};

void append_message(std::string& text, Numbers& random) {
    constexpr const char* kMessages[] = {"GET /api/v1/items",     "POST /api/v1/orders", "cache miss for key",
                                         "connected to upstream", "job finished",        "retrying request",
                                         "user logged in"};
    char line[256];
    const unsigned kind = random.below(100'000);
    if (kind < 2) {
        std::snprintf(line, sizeof line, "WARN worker-%u connection reset by peer addr=10.0.%u.%u\n", random.below(8),
                      random.below(256), random.below(256));
    } else if (kind < 30) {
        std::snprintf(line, sizeof line, "ERROR db-%u timeout after %ums query=%x\n", random.below(8), random.below(4096),
                      random.below(1u << 31));
    } else if (kind < 35) {
        std::snprintf(line, sizeof line, "ERROR Panic in handler %u\n", random.below(4096));
    } else if (kind < 1000) {
        std::snprintf(line, sizeof line, "DEBUG trace=%08x-%04x-%04x-%04x-%012llx\n", random.below(1u << 31),
                      random.below(1u << 16), random.below(1u << 16), random.below(1u << 16),
                      static_cast<unsigned long long>(random.next() >> 16));
    } else {
        std::snprintf(line, sizeof line, "%s %s id=%u status=%u dur=%ums\n", kind % 10 == 0 ? "WARN" : "INFO",
                      kMessages[random.below(std::size(kMessages))], random.below(1u << 24), kind % 10 == 0 ? 404 : 200,
                      random.below(900));
    }
    text += line;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) return 2;
    Numbers random;
    std::string text;
    unsigned milliseconds = 0;
    for (std::size_t left = std::strtoull(argv[1], nullptr, 10); left > 0;) {
        while (text.size() < kBlock) {
            char time[64];
            std::snprintf(time, sizeof time, "2026-01-31T%02u:%02u:%02u.%03uZ ", milliseconds / 3'600'000 % 24,
                          milliseconds / 60'000 % 60, milliseconds / 1000 % 60, milliseconds % 1000);
            ++milliseconds;
            text += time;
            append_message(text, random);
        }
        const ssize_t written = ::write(STDOUT_FILENO, text.data(), left < text.size() ? left : text.size());
        if (written <= 0) return 1;
        left -= static_cast<std::size_t>(written);
        text.erase(0, static_cast<std::size_t>(written));
    }
    return 0;
}
