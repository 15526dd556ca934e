#include "protocol/rundir/given_up.h"

#include <algorithm>
#include <charconv>

#include "protocol/os/atomic_file.h"
#include "protocol/os/read_file.h"

namespace pp::rundir {
namespace {

constexpr std::size_t kMaxSize = 4096;

}  // namespace

/// "<nanoseconds> <why>\n"
std::optional<GivenUp> find_given_up(const std::string& path) {
    const auto text = os::find_file_content(path, kMaxSize);
    if (!text) return std::nullopt;
    GivenUp given_up;
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), given_up.since_ns);
    if (error != std::errc{} || end == text->data() + text->size() || *end != ' ') return std::nullopt;
    given_up.why.assign(end + 1, text->data() + text->size());
    given_up.why.erase(std::min(given_up.why.find('\n'), given_up.why.size()));
    return given_up;
}

void write_given_up(const std::string& path, const GivenUp& given_up) {
    std::string why = given_up.why.substr(0, kMaxSize / 2);
    std::replace(why.begin(), why.end(), '\n', ' ');
    os::write_atomic_file(path, std::to_string(given_up.since_ns) + " " + why + "\n", 0600);
}

}  // namespace pp::rundir
