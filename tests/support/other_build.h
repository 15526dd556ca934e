#pragma once

#include <stdexcept>
#include <string>

#include "protocol/os/atomic_file.h"
#include "protocol/os/build_id.h"
#include "protocol/os/read_file.h"
#include "tests/support/installation.h"

namespace pp::test {

inline std::string built(const std::string& name) { return std::string{PP_BIN_DIR} + "/" + name; }

/// Puts in the place of a program of the installation the same one, as another build of the same version would be: with another
/// id.
inline void install_other_build(const Installation& pp, const std::string& name) {
    auto content = os::find_file_content(built(name), 1u << 30).value();
    const auto id = os::build_id(built(name));
    std::string bytes;
    for (std::size_t i = 0; i < id.size(); i += 2) bytes += static_cast<char>(std::stoi(id.substr(i, 2), nullptr, 16));
    const auto at = content.find(bytes);
    if (at == std::string::npos) throw std::runtime_error(built(name) + " does not hold its build id");
    content[at] = static_cast<char>(content[at] ^ 1);
    os::write_atomic_file(pp.program(name), content, 0755);
}

}  // namespace pp::test
