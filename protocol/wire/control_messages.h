#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "protocol/wire/version.h"

namespace pp::wire {

// CLI ⇄ hub, over ipc run/control.sock (ROUTER at the hub, DEALER at the CLI).
//
// Arguments and results are the JSON of the tools (hub/tools): one shape for agents and people, so `--json` prints what
// an agent gets. A request may stay open for long; it ends with one Reply. Hang-up of a client cancels what it asked.

/// CLI → hub.
struct Request {
    static constexpr std::uint32_t kType = 1;
    std::uint32_t protocol = kControlProtocol;
    std::string version;           ///< of the program that asks
    std::uint64_t token = 0;       ///< comes back in the Reply
    std::string operation;         ///< name of a tool, or of an operation that only people have (hub_status, shutdown …)
    std::string arguments;         ///< JSON object
    std::string working_directory;  ///< the caller's: gives its project
    std::map<std::string, std::string> environment;  ///< the caller's; only with `start`
    std::uint32_t file_mode_mask = 022;              ///< umask of the caller
    std::string limits_json;       ///< [[resource, soft, hard], …]; -1 = unlimited
    std::int32_t nice = 0;
    std::int32_t pid = 0;          ///< of the caller: its death cancels what it asked
    std::uint64_t key = 0;         ///< since version 2; random, the same when it is asked again of another hub; 0: none
    std::string streams;           ///< since version 2; merged or split: what suits the caller's stdout and stderr
    std::uint32_t rows = 0;        ///< since version 2; of the caller's terminal; 0: it has none
    std::uint32_t columns = 0;     ///< the same
    std::uint64_t pid_namespace = 0;  ///< since version 2; that `pid` is of, by inode; 0: not known
    // What `start` is to run, byte for byte, instead of `command` in `arguments`: JSON holds no bytes that are no text.
    std::vector<std::string> argv;  ///< since version 2; program and arguments, or else:
    std::string command;            ///< since version 2; one string, which a shell may have to take

    template <class Self, class Visitor>
    static void fields(Self& self, Visitor& visit) {
        visit.required("protocol", self.protocol);
        visit.optional("version", self.version);
        visit.required("token", self.token);
        visit.required("operation", self.operation);
        visit.optional("arguments", self.arguments);
        visit.optional("working_directory", self.working_directory);
        visit.optional("environment", self.environment);
        visit.optional("umask", self.file_mode_mask);
        visit.optional("limits", self.limits_json);
        visit.optional("nice", self.nice);
        visit.optional("pid", self.pid);
        visit.optional("key", self.key);
        visit.optional("streams", self.streams);
        visit.optional("rows", self.rows);
        visit.optional("columns", self.columns);
        visit.optional("pid_namespace", self.pid_namespace);
        visit.optional("argv", self.argv);
        visit.optional("command", self.command);
    }
};

/// hub → CLI: the end of a request.
struct Reply {
    static constexpr std::uint32_t kType = 2;
    std::uint64_t token = 0;
    std::string status = "ok";  ///< ok · failed · usage · not_found · ambiguous · timed_out: the CLI's exit codes
    std::string result;         ///< JSON object: structuredContent of the tool
    std::string text;           ///< for a person: the error, or the tool's short text

    template <class Self, class Visitor>
    static void fields(Self& self, Visitor& visit) {
        visit.required("token", self.token);
        visit.required("status", self.status);
        visit.optional("result", self.result);
        visit.optional("text", self.text);
    }
};

}  // namespace pp::wire
