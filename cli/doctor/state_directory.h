#pragma once

#include <cstdint>
#include <string>

#include "cli/context.h"
#include "cli/doctor/finding.h"

namespace pp::cli::doctor {

struct StateDirectoryFacts {
    std::string path;
    bool exists = false;
    unsigned owner = 0;
    unsigned us = 0;
    unsigned mode = 0700;
    std::string file_system;
    std::uint64_t free_bytes = 0;
    std::uint64_t free_inodes = 0;  ///< UINT64_MAX: this file system does not count them
};

Findings judge(const StateDirectoryFacts& facts);

/// Logs, histories, and what of the file system pp needs.
Findings check_state_directory(const Context& context);

/// state/token: who reads it may do all that its owner may.
struct TokenFacts {
    std::string path;
    bool exists = false;
    unsigned owner = 0;
    unsigned us = 0;
    unsigned mode = 0600;
    std::uint64_t size = 0;
};
Findings judge(const TokenFacts& facts);
Findings check_token(const Context& context);

}  // namespace pp::cli::doctor
