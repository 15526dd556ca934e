#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace pp::rundir {

/// `given_up`: the keeper's word that it starts no more shims for a process until somebody asks. It outlives hub and keeper, so
/// that whoever looks can be told; it counts only while no shim holds the process's lock.
struct GivenUp {
    std::int64_t since_ns = 0;  ///< wall clock
    std::string why;            ///< one line, for a person
};

/// Nothing where there is none, or one that cannot be read.
std::optional<GivenUp> find_given_up(const std::string& path);

/// By rename. Throws std::system_error.
void write_given_up(const std::string& path, const GivenUp& given_up);

}  // namespace pp::rundir
