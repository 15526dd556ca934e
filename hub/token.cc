#include "hub/token.h"

#include <sys/random.h>

#include <array>
#include <cstdio>

#include "protocol/os/atomic_file.h"
#include "protocol/os/error.h"
#include "protocol/os/read_file.h"

namespace pp::hub {
namespace {

constexpr std::size_t kTokenLength = 64;

}  // namespace

std::uint64_t random_number() {
    std::uint64_t number = 0;
    while (number == 0) {
        if (::getrandom(&number, sizeof number, 0) != sizeof number) os::throw_errno("getrandom");
    }
    return number;
}

std::string load_token(const std::string& path) {
    if (auto kept = os::find_file_content(path, 4096)) {
        kept->erase(kept->find_last_not_of(" \r\n") + 1);
        if (kept->size() >= 16) return *kept;
    }
    std::string token;
    while (token.size() < kTokenLength) {
        std::array<char, 20> digits{};
        std::snprintf(digits.data(), digits.size(), "%016llx",
                      static_cast<unsigned long long>(random_number()));
        token += digits.data();
    }
    os::write_atomic_file(path, token + "\n", 0600);
    return token;
}

}  // namespace pp::hub
