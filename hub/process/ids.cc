#include "hub/process/ids.h"

#include <algorithm>
#include <charconv>
#include <filesystem>

#include "protocol/os/atomic_file.h"
#include "protocol/os/read_file.h"

namespace pp::hub {
namespace {

std::uint64_t stored_number(const std::string& path) {
    const auto text = os::find_file_content(path, 64);
    std::uint64_t number = 0;
    if (text) std::from_chars(text->data(), text->data() + text->size(), number);
    return number;
}

}  // namespace

void Ids::note(std::uint64_t number) {
    highest_ = std::max(highest_, number);
}

std::uint64_t Ids::next() {
    std::uint64_t number = std::max(stored_number(home_.next_id()), highest_ + 1);
    if (!std::filesystem::exists(home_.next_id())) number = std::max(number, highest_in_files() + 1);
    while (std::filesystem::exists(home_.process(number))) ++number;  // next_id was put back to an older one
    os::write_atomic_file(home_.next_id(), std::to_string(number + 1) + "\n", 0600);
    highest_ = number;
    return number;
}

std::uint64_t Ids::highest_in_files() const {
    std::uint64_t highest = 0;
    const auto processes = home_.known_processes();
    if (!processes.empty()) highest = processes.back();
    std::error_code ignored;
    for (const auto& entry : std::filesystem::directory_iterator{home_.run(), ignored}) {
        if (const auto number = rundir::find_process_number(entry.path().stem().string()))
            highest = std::max(highest, *number);
    }
    return highest;
}

}  // namespace pp::hub
