#include "cli/doctor/cgroup.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <sstream>

#include "protocol/os/read_file.h"

namespace pp::cli::doctor {
namespace {

constexpr std::uint64_t kHuge = std::uint64_t{1} << 60;  // v1 says "no limit" by a number near 2^63
constexpr std::uint64_t kLittleMemory = 256u << 20;
constexpr std::uint64_t kFewPids = 64;

std::optional<std::uint64_t> find_number(const std::string& path) {
    const auto text = os::find_file_content(path, 4096);
    std::uint64_t number = 0;
    if (!text) return std::nullopt;
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
    if (error != std::errc{}) return std::nullopt;  // "max"
    return number;
}

std::string line_in(const std::string& path) {
    auto text = os::find_file_content(path, 65536).value_or("");
    return text.substr(0, text.find('\n'));
}

/// /proc/PID/cgroup: lines of `number:controllers:path`. The v2 path is under "".
std::map<std::string, std::string> memberships(const std::string& text) {
    std::map<std::string, std::string> found;
    std::istringstream lines{text};
    std::string line;
    while (std::getline(lines, line)) {
        const auto first = line.find(':');
        const auto second = first == std::string::npos ? first : line.find(':', first + 1);
        if (second == std::string::npos) continue;
        std::istringstream names{line.substr(first + 1, second - first - 1)};
        std::string name;
        bool any = false;
        while (std::getline(names, name, ',')) {
            found[name] = line.substr(second + 1);
            any = true;
        }
        if (!any) found[""] = line.substr(second + 1);
    }
    return found;
}

struct Mounts {
    std::string v2;                         ///< mount point; empty: none
    std::map<std::string, std::string> v1;  ///< by controller
};

/// /proc/self/mountinfo: … mount point … - type source options (proc(5)).
Mounts mounts_in(const std::string& text) {
    Mounts mounts;
    std::istringstream lines{text};
    std::string line;
    while (std::getline(lines, line)) {
        const auto dash = line.find(" - ");
        if (dash == std::string::npos) continue;
        std::istringstream fields{line};
        std::string point;
        for (int i = 0; i < 5; ++i) fields >> point;
        std::istringstream behind{line.substr(dash + 3)};
        std::string type;
        std::string source;
        std::string options;
        behind >> type >> source >> options;
        if (type == "cgroup2") mounts.v2 = point;
        if (type != "cgroup") continue;
        std::istringstream names{options};
        std::string name;
        while (std::getline(names, name, ',')) mounts.v1[name] = point;
    }
    return mounts;
}

/// The group and those above it, innermost first.
std::vector<std::string> upwards(const std::string& path) {
    std::vector<std::string> found;
    for (std::string at = path; !at.empty() && at != "/"; at.resize(at.rfind('/'))) found.push_back(at);
    found.emplace_back("");
    return found;
}

void add_limit(CgroupFacts& facts, const std::string& what, const std::string& path,
               const std::string& limit_file, const std::string& used_file) {
    const auto limit = find_number(limit_file);
    if (!limit || *limit >= kHuge) return;
    facts.limits.push_back({what, path.empty() ? "/" : path, *limit, find_number(used_file).value_or(0)});
}

void read_v2(CgroupFacts& facts, const std::string& base) {
    facts.controllers = line_in(base + facts.path + "/cgroup.controllers");
    facts.may_divide = ::access((base + facts.path).c_str(), W_OK) == 0 &&
                       ::access((base + facts.path + "/cgroup.procs").c_str(), W_OK) == 0;
    for (const auto& path : upwards(facts.path)) {
        const auto at = base + path;
        add_limit(facts, "memory", path, at + "/memory.max", at + "/memory.current");
        add_limit(facts, "pids", path, at + "/pids.max", at + "/pids.current");
    }
}

void read_v1(CgroupFacts& facts, const std::string& root, const Mounts& mounts,
             const std::map<std::string, std::string>& groups) {
    struct V1 {
        const char* controller;
        const char* limit;
        const char* used;
    };
    for (const V1& one : {V1{"memory", "memory.limit_in_bytes", "memory.usage_in_bytes"},
                          V1{"pids", "pids.max", "pids.current"}}) {
        const auto mount = mounts.v1.find(one.controller);
        const auto group = groups.find(one.controller);
        if (mount == mounts.v1.end() || group == groups.end()) continue;
        facts.controllers += (facts.controllers.empty() ? "" : " ") + std::string{one.controller};
        for (const auto& path : upwards(group->second)) {
            const auto at = root + mount->second + path + "/";
            add_limit(facts, one.controller, path, at + one.limit, at + one.used);
        }
    }
}

std::string kind_name(CgroupFacts::Kind kind) {
    switch (kind) {
        case CgroupFacts::Kind::none:
            return "no cgroups";
        case CgroupFacts::Kind::v1:
            return "cgroups v1";
        case CgroupFacts::Kind::v2:
            return "cgroups v2";
        case CgroupFacts::Kind::hybrid:
            return "cgroups v1 and v2";
    }
    return "?";
}

bool is_tight(const CgroupLimit& limit) {
    const auto left = limit.limit > limit.used ? limit.limit - limit.used : 0;
    return left < (limit.what == "memory" ? kLittleMemory : kFewPids);
}

std::string said(const CgroupLimit& limit) {
    if (limit.what != "memory")
        return std::to_string(limit.used) + " of " + std::to_string(limit.limit) + " processes";
    return std::to_string(limit.used >> 20) + " of " + std::to_string(limit.limit >> 20) + " MiB memory";
}

}  // namespace

CgroupFacts cgroup_facts(const std::string& root, const std::string& pid) {
    const std::string base = root == "/" ? "" : root;
    const auto groups = memberships(os::find_file_content(base + "/proc/" + pid + "/cgroup").value_or(""));
    const auto mounts = mounts_in(os::find_file_content(base + "/proc/self/mountinfo").value_or(""));
    const bool has_v1 = mounts.v1.contains("memory") || mounts.v1.contains("pids");
    CgroupFacts facts;
    if (!mounts.v2.empty())
        facts.kind = has_v1 ? CgroupFacts::Kind::hybrid : CgroupFacts::Kind::v2;
    else if (has_v1)
        facts.kind = CgroupFacts::Kind::v1;
    const auto own = groups.find(has_v1 && groups.contains("memory") ? "memory" : "");
    if (own != groups.end()) facts.path = own->second;
    if (has_v1) read_v1(facts, base, mounts, groups);
    if (facts.kind == CgroupFacts::Kind::v2) read_v2(facts, base + mounts.v2);
    return facts;
}

Findings judge(const CgroupFacts& facts, const std::string& whose) {
    if (facts.kind == CgroupFacts::Kind::none)
        return {note("cgroups", "there are none",
                     "memory and processes of a program cannot be limited as a whole")};
    Findings findings;
    for (const auto& limit : facts.limits) {
        const std::string what = whose + " share " + said(limit) + " of " + limit.path + " with pp itself";
        const std::string advice = limit.what == "memory"
                                       ? "beyond it the kernel kills some of them; raise memory.max there"
                                       : "beyond it nothing more can be started; raise pids.max there";
        findings.push_back(is_tight(limit) ? problem("cgroups", what, advice)
                                           : note("cgroups", what, advice));
    }
    const std::string able = facts.controllers.empty() ? "no controllers" : facts.controllers;
    findings.insert(findings.begin(), fine("cgroups", kind_name(facts.kind) + " with " + able + " at " +
                                                          (facts.path.empty() ? "/" : facts.path) +
                                                          (facts.may_divide ? ", which may be divided"
                                                                            : ", which may not be divided")));
    return findings;
}

/// Programs under pp are in the keeper's group.
Findings check_cgroup(const Survey& survey) {
    const auto* keeper = survey.find("pp-keeper");
    if (keeper != nullptr) return judge(cgroup_facts("/", std::to_string(keeper->pid)), "processes of pp");
    return judge(cgroup_facts("/", "self"), "processes started from here");
}

}  // namespace pp::cli::doctor
