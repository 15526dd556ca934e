#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "protocol/wire/version.h"

namespace pp::rundir {

/// state/processes/p12/launch: all that a shim needs to run a process, and what a hub needs to know it again.
/// Written by the hub under its lock, replaced by rename, read by the shim before each run.
struct Launch {
    static constexpr std::uint32_t kType = 1;

    std::uint32_t version = wire::kLaunchVersion;
    std::uint64_t process = 0;
    std::string name;
    std::string label;
    std::string project;            ///< absolute path
    std::string owner_kind;         ///< human | agent
    std::string owner_client;
    std::string lifetime = "project";
    std::int64_t created_at_ns = 0;

    std::string command;            ///< as a shell would take it; for people
    std::vector<std::string> argv;  ///< what is executed; argv[0] is looked up in the PATH of `environment`
    std::string working_directory;
    std::map<std::string, std::string> environment;  ///< the whole of it
    std::string environment_source;  ///< which it is: caller, project, login shell
    std::string given_argv_json;    ///< argv as the caller gave it, or empty if it gave a string
    std::string mode = "pipe";      ///< pipe | pty
    std::uint32_t rows = 24;        ///< of the terminal that mode pty gives
    std::uint32_t columns = 80;
    std::string streams = "split";  ///< merged | split
    std::string stdin_mode = "null";  ///< null | pipe
    std::uint32_t file_mode_mask = 022;  ///< umask
    std::vector<std::int64_t> limits;    ///< resource, soft, hard, … ; -1 = unlimited
    std::int32_t nice = 0;
    std::uint64_t log_capacity = 0;      ///< bytes; 0 = default

    template <class Self, class Visitor>
    static void fields(Self& self, Visitor& visit) {
        visit.required("version", self.version);
        visit.required("process", self.process);
        visit.required("name", self.name);
        visit.optional("label", self.label);
        visit.optional("project", self.project);
        visit.optional("owner_kind", self.owner_kind);
        visit.optional("owner_client", self.owner_client);
        visit.optional("lifetime", self.lifetime);
        visit.optional("created_at_ns", self.created_at_ns);
        visit.optional("command", self.command);
        visit.required("argv", self.argv);
        visit.required("working_directory", self.working_directory);
        visit.required("environment", self.environment);
        visit.optional("environment_source", self.environment_source);
        visit.optional("given_argv_json", self.given_argv_json);
        visit.optional("mode", self.mode);
        visit.optional("rows", self.rows);
        visit.optional("columns", self.columns);
        visit.optional("streams", self.streams);
        visit.optional("stdin", self.stdin_mode);
        visit.optional("umask", self.file_mode_mask);
        visit.optional("limits", self.limits);
        visit.optional("nice", self.nice);
        visit.optional("log_capacity", self.log_capacity);
    }
};

/// Nothing if there is no such file. Throws BadMessage, with the path, for a damaged one.
std::optional<Launch> find_launch(const std::string& path);
/// By rename, 0600, fsynced: it holds the environment.
void write_launch(const std::string& path, const Launch& launch);

}  // namespace pp::rundir
