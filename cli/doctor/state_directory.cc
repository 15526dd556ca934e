#include "cli/doctor/state_directory.h"

#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <array>
#include <cstdio>

#include "cli/doctor/file_system.h"

namespace pp::cli::doctor {
namespace {

constexpr std::uint64_t kNoRoom = 64u << 20;        // less than a few logs take
constexpr std::uint64_t kLittleRoom = 1024u << 20;  // that the logs of a day may take
constexpr std::uint64_t kFewInodes = 1000;
constexpr std::uint64_t kTokenLength = 16;  // a shorter one is made anew

std::string octal(unsigned mode) {
    std::array<char, 16> text{};
    std::snprintf(text.data(), text.size(), "%04o", mode & 07777);
    return text.data();
}

std::string mebibytes(std::uint64_t bytes) {
    return std::to_string(bytes >> 20) + " MiB";
}

}  // namespace

Findings judge(const StateDirectoryFacts& facts) {
    Findings findings;
    const auto& path = facts.path;
    if (facts.exists && facts.owner != facts.us)
        findings.push_back(problem("state",
                                   path + " belongs to uid " + std::to_string(facts.owner) +
                                       ", not to you (" + std::to_string(facts.us) + ")",
                                   "set PP_HOME, or XDG_STATE_HOME, to a directory of your own"));
    else if (facts.exists && (facts.mode & 077) != 0)
        findings.push_back(problem(
            "state",
            path + " is open to others (mode " + octal(facts.mode) + "), and holds environments and output",
            "chmod 700 " + path));
    if (facts.free_bytes < kNoRoom)
        findings.push_back(
            problem("state", path + " has " + mebibytes(facts.free_bytes) + " of room",
                    "output is lost when it is full, though programs run on; make room, or: pp clear --all"));
    else if (facts.free_bytes < kLittleRoom)
        findings.push_back(note("state", path + " has " + mebibytes(facts.free_bytes) + " of room",
                                "pp clear --all forgets what has finished, with its logs"));
    if (facts.free_inodes < kFewInodes)
        findings.push_back(
            problem("state", path + " has room for " + std::to_string(facts.free_inodes) + " more files",
                    "nothing can be started when there is none; remove files, or: pp clear --all"));
    if (is_in_memory(facts.file_system))
        findings.push_back(
            note("state", path + " is on " + facts.file_system + ", in memory",
                 "logs and history are lost with a reboot; PP_HOME may name a directory on a disk"));
    if (is_remote(facts.file_system))
        findings.push_back(note(
            "state", path + " is on " + facts.file_system + ", served by somebody else",
            "locks and logs are as good as that is; PP_HOME may name a directory on a disk of this machine"));
    if (findings.empty())
        findings.push_back(fine("state", path + " on " + facts.file_system + ", " +
                                             mebibytes(facts.free_bytes) + " of room" +
                                             (facts.exists ? "" : "; the first command makes it")));
    return findings;
}

Findings check_state_directory(const Context& context) {
    StateDirectoryFacts facts;
    facts.path = context.home.state();
    facts.us = ::geteuid();
    struct stat status {};
    facts.exists = ::stat(facts.path.c_str(), &status) == 0;
    facts.owner = status.st_uid;
    facts.mode = status.st_mode;
    const auto there = nearest_existing(facts.path);
    const auto run = nearest_existing(context.home.run());
    facts.file_system = file_system_name(there);
    struct statvfs room {};
    if (::statvfs(there.c_str(), &room) == 0) {
        facts.free_bytes = std::uint64_t{room.f_bavail} * room.f_frsize;
        facts.free_inodes = room.f_files == 0 ? UINT64_MAX : std::uint64_t{room.f_favail};
    }
    auto findings = judge(facts);
    const auto of = [](const std::string& directory) {
        return file_system_name(directory) + " at " + directory;
    };
    for (const auto& part :
         {judge("run", of(run), run_probes(run), "set PP_HOME to a directory on another file system"),
          judge("state", of(there), state_probes(there, run),
                "set PP_HOME, or XDG_STATE_HOME, to a directory on another file system")})
        findings.insert(findings.end(), part.begin(), part.end());
    return findings;
}

Findings judge(const TokenFacts& facts) {
    if (!facts.exists) return {fine("token", facts.path + " is not there yet; the first hub makes it")};
    const std::string renew =
        "rm " + facts.path + "; pp hub restart; then give the new one to whoever uses it";
    if (facts.owner != facts.us)
        return {problem("token", facts.path + " belongs to uid " + std::to_string(facts.owner), renew)};
    if ((facts.mode & 077) != 0)
        return {
            problem("token", facts.path + " can be read by others (mode " + octal(facts.mode) + ")", renew)};
    if (facts.size < kTokenLength)
        return {problem("token",
                        facts.path + " holds " + std::to_string(facts.size) + " bytes, which is no token",
                        "pp hub restart makes a new one")};
    return {fine("token", facts.path + ", for you alone")};
}

Findings check_token(const Context& context) {
    TokenFacts facts;
    facts.path = context.home.token();
    facts.us = ::geteuid();
    struct stat status {};
    facts.exists = ::lstat(facts.path.c_str(), &status) == 0;
    facts.owner = status.st_uid;
    facts.mode = status.st_mode;
    facts.size = static_cast<std::uint64_t>(status.st_size);
    return judge(facts);
}

}  // namespace pp::cli::doctor
