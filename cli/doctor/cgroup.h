#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cli/doctor/finding.h"
#include "cli/doctor/survey.h"

namespace pp::cli::doctor {

/// A limit of the cgroup or of one above it: beyond it the kernel kills, or refuses to fork.
struct CgroupLimit {
    std::string what;  ///< "memory", "pids"
    std::string path;
    std::uint64_t limit = 0;
    std::uint64_t used = 0;
};

struct CgroupFacts {
    enum class Kind { none, v1, v2, hybrid };

    Kind kind = Kind::none;
    std::string path;         ///< of the program that was asked about, within the hierarchy
    std::string controllers;  ///< that may be used there: "cpu memory pids"; v1: those mounted
    bool may_divide = false;  ///< groups for processes may be made in it
    std::vector<CgroupLimit> limits;
};

/// Of the program `pid` ("self", or a number). `root` is "/", or where a test has its own /proc and /sys.
CgroupFacts cgroup_facts(const std::string& root, const std::string& pid);

/// `whose`: "processes of pp" or "this shell".
Findings judge(const CgroupFacts& facts, const std::string& whose);

Findings check_cgroup(const Survey& survey);

}  // namespace pp::cli::doctor
