#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace pp::os {

/// What /proc/PID/stat says of a process (proc(5)).
struct ProcStat {
    pid_t pid = 0;
    std::string comm;           ///< at most 15 bytes, not necessarily UTF-8
    char state = '?';           ///< R S D Z T …
    pid_t parent = 0;
    pid_t group = 0;
    pid_t session = 0;
    std::uint64_t user_ticks = 0;    ///< clock ticks (sysconf(_SC_CLK_TCK)), threads included
    std::uint64_t system_ticks = 0;
    int threads = 0;
    std::uint64_t start_time = 0;    ///< clock ticks since boot; with the pid it names a process for the life of a boot
    std::uint64_t resident_pages = 0;
    std::optional<int> exit_code;    ///< wait status, field 52; shown to the same uid only, and true while a zombie
};

/// Nothing if there is no such process (any more).
std::optional<ProcStat> find_proc_stat(pid_t pid);

/// All pids that /proc lists.
std::vector<pid_t> all_pids();

/// Pids whose parent is `pid`, from /proc/PID/task/*/children; where the kernel has no such file, from a scan of /proc.
std::vector<pid_t> children_of(pid_t pid);
/// Those of its first thread: all of a program whose other threads fork nothing, since it is the first one that orphans are
/// given to (kernel/exit.c, find_new_reaper). Four system calls, where children_of() takes five and four for each thread.
std::vector<pid_t> children_of_first_thread(pid_t pid);

/// Numbers of its open descriptors; none if it is gone or may not be looked into.
std::vector<int> open_descriptors(pid_t pid);

/// Whether the system lets us look into it (ptrace(2), PTRACE_MODE_READ_FSCREDS): another user's, and one that is not
/// dumpable, is refused, and its /proc/PID/stat then says 0 where it will not tell.
bool may_look_into(pid_t pid);

/// Whether its first thread has this signal blocked, as a program has that takes it by signalfd; false if it is gone.
bool blocks_signal(pid_t pid, int signal);

/// Value of `name` in the environment that the process was started with; nothing if unset or unreadable.
std::optional<std::string> find_environment_value(pid_t pid, const std::string& name);

/// What a symbolic link says; nothing if there is none, or it cannot be read.
std::optional<std::string> find_link(const std::string& path);

/// Path of the program that it executes, as it was then; nothing if that cannot be read.
std::optional<std::string> find_program_path(pid_t pid);

/// Arguments that it was started with, itself first; none if they cannot be read.
std::vector<std::string> find_arguments(pid_t pid);

/// Command line with blanks between the arguments, or [comm] where there is none.
std::string command_line(pid_t pid);

/// This boot's id as 36 characters of text; empty where the kernel does not tell.
std::string boot_id();

}  // namespace pp::os
