#include "bench/support/conmon.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include "bench/support/fifo.h"
#include "protocol/os/error.h"

namespace pp::bench {
namespace {

/// Called as `runtime create --bundle DIRECTORY --pid-file FILE ID`.
constexpr const char* kRuntime = "#!/bin/sh\n\"$3/command\" &\necho $! >\"$5\"\necho >\"$3/started\"\n";

void write_script(const std::string& path, const std::string& text) {
    std::ofstream{path} << text;
    if (::chmod(path.c_str(), 0700) != 0) os::throw_errno("chmod", path);
}

}  // namespace

bool Conmon::installed() {
    const char* path = std::getenv("PATH");
    std::istringstream directories{path == nullptr ? "/usr/bin:/bin" : path};
    for (std::string directory; std::getline(directories, directory, ':');) {
        if (::access((directory + "/conmon").c_str(), X_OK) == 0) return true;
    }
    return false;
}

Conmon::Conmon(const std::string& directory, const std::vector<std::string>& argv) : directory_{directory} {
    if (::mkdir(directory.c_str(), 0700) != 0) os::throw_errno("mkdir", directory);
    std::string command = "#!/bin/sh\nexec";
    for (const auto& word : argv) command += " '" + word + "'";
    write_script(directory + "/command", command + "\n");
    write_script(directory + "/runtime", kRuntime);
    const Fifo started{directory + "/started"};
    const std::string id = directory.substr(directory.rfind('/') + 1);
    monitor_.emplace(std::vector<std::string>{
        "conmon", "--sync", "--full-attach", "--log-level", "panic", "-c", id, "-u", id, "-n", id, "-r",
        directory + "/runtime", "-b", directory, "-p", directory + "/pid", "-l", "k8s-file:" + log()});
    (void)started.wait();
}

Conmon::~Conmon() {
    pid_t pid = 0;
    std::ifstream{directory_ + "/pid"} >> pid;
    // conmon is its parent, and has not reaped it unless it ended: the number is still the program's
    if (pid > 0 && !monitor_->process().ended()) {
        if (const auto program = os::PidFd::find(pid)) {
            program->send_signal(SIGKILL);
            program->wait_for_end();
        }
    }
}

}  // namespace pp::bench
