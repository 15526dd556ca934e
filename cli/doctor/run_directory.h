#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "cli/doctor/finding.h"
#include "cli/doctor/survey.h"

namespace pp::cli::doctor {

struct RunDirectoryFacts {
    std::string path;
    enum class Kind { missing, directory, other };
    Kind kind = Kind::missing;
    unsigned owner = 0;
    unsigned us = 0;
    unsigned mode = 0700;
    std::string file_system;
    std::string ageing;              ///< the line of tmpfiles.d that would take old files away; empty: none
    bool is_held = false;            ///< somebody holds the lock against that
    bool any_program = false;        ///< of pp lives
    pid_t hub_without_files = 0;     ///< a hub that lives and whose lock is not here
    pid_t keeper_without_files = 0;  ///< the same of the keeper
    struct Shim {
        std::uint64_t process = 0;
        pid_t pid = 0;  ///< 0: it was not found
    };
    std::vector<Shim> pages_gone;    ///< shims that live and whose page is not here
    std::vector<Shim> sockets_gone;  ///< whose page is here, but not the socket
};

Findings judge(const RunDirectoryFacts& facts);

/// Line of tmpfiles.d(5) by which files in `directory` age; empty: none. `root` as in login_facts.
std::string ageing_of(const std::string& root, const std::string& directory);
/// Whether /proc/locks tells of a flock on the file of this inode (pure). The device is passed over: that of
/// the list is the file system's, which stat(2) does not tell everywhere.
bool has_flock(const std::string& locks, std::uint64_t inode);

Findings check_run_directory(const Context& context, const Survey& survey);

}  // namespace pp::cli::doctor
