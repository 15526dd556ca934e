#include "hub/shims/last_words.h"

#include "protocol/os/read_file.h"

namespace pp::hub {

/// A line is `time p12 words`.
std::string last_words(const rundir::Home& home, std::uint64_t process) {
    const auto log = os::find_file_content(home.log("shim")).value_or("");
    const std::string mark = "Z " + rundir::process_id(process) + " ";
    const auto found = log.rfind(mark);
    if (found == std::string::npos) return {};
    const auto begin = found + mark.size();
    return log.substr(begin, log.find('\n', begin) - begin);
}

}  // namespace pp::hub
