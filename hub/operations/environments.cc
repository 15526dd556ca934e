#include "hub/operations/environments.h"

#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <utility>

#include "hub/operations/login_environment.h"
#include "protocol/os/atomic_file.h"
#include "protocol/os/error.h"
#include "protocol/os/read_file.h"
#include "protocol/ring/format.h"
#include "protocol/rundir/mark.h"

namespace pp::hub {
namespace {

constexpr std::chrono::milliseconds kLoginShellLimit{3000};

std::string login_shell(const rundir::Environment& own) {
    if (const auto shell = own.find("SHELL"); shell != own.end() && !shell->second.empty())
        return shell->second;
    const passwd* entry = ::getpwuid(::geteuid());
    return entry != nullptr && entry->pw_shell != nullptr && *entry->pw_shell != '\0' ? entry->pw_shell
                                                                                      : "/bin/sh";
}

}  // namespace

Environments::Environments(Worker& worker, const rundir::Home& home, const Log& log, rundir::Environment own)
    : worker_{worker}, home_{home}, log_{log}, own_{std::move(own)} {
    rundir::erase_mark(own_);
}

std::string Environments::path_for(const std::string& project) const {
    std::array<char, 24> hash{};
    std::snprintf(hash.data(), hash.size(), "%016llx",
                  static_cast<unsigned long long>(ring::checksum(project.data(), project.size())));
    return home_.projects() + "/" + hash.data();
}

void Environments::keep(const std::string& project, const rundir::Environment& environment) {
    const std::string directory = path_for(project);
    if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) os::throw_errno("mkdir", directory);
    rundir::Environment kept = environment;
    rundir::erase_mark(kept);
    os::write_atomic_file(directory + "/environment", print_environment(kept), 0600);
}

void Environments::choose(const std::string& project, std::function<void(const ChosenEnvironment&)> then) {
    if (const auto kept = os::find_file_content(path_for(project) + "/environment")) {
        if (auto variables = parse_environment(*kept); !variables.empty())
            return then({std::move(variables), "project"});
    }
    if (login_) return then(*login_);
    waiting_.push_back(std::move(then));
    if (waiting_.size() > 1) return;
    worker_.post([this, shell = login_shell(own_), own = own_]() -> Worker::Then {
        return [this, captured = find_login_environment(shell, own, kLoginShellLimit)] {
            on_captured(captured);
        };
    });
}

void Environments::on_captured(std::optional<rundir::Environment> captured) {
    if (!captured) log_.say("the login shell's environment could not be had; the hub's own is used");
    login_ =
        captured ? ChosenEnvironment{std::move(*captured), "login shell"} : ChosenEnvironment{own_, "hub"};
    for (const auto& then : std::exchange(waiting_, {})) then(*login_);
}

}  // namespace pp::hub
