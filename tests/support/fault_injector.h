#pragma once

#include <sys/types.h>

#include <condition_variable>
#include <cstddef>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "protocol/os/unique_fd.h"
#include "tests/support/temp_dir.h"

namespace pp::test {

/// System calls that fail, as on a disk that is broken or a system that has nothing left to give.
struct Fault {
    std::vector<long> calls;  ///< SYS_…; of those that the filter asks about (fault_injector.cc)
    int error = 0;            ///< errno
    std::string file;         ///< the path that the call is about ends so; empty: any, or none
    std::string program;      ///< as /proc/PID/comm says: "pp-shim"; empty: any
};

/// Makes system calls of other programs fail, and work again. A program that is started by `under_faults`, and all that comes
/// of it, runs under a seccomp filter that asks this process about each call that matters (seccomp_unotify(2)): it is refused
/// with an errno, or goes on. Any user may do so, and static programs are no different.
///
/// Must outlive those programs: without it, those calls of theirs fail with ENOSYS.
class FaultInjector {
  public:
    FaultInjector();
    ~FaultInjector();
    FaultInjector(const FaultInjector&) = delete;
    FaultInjector& operator=(const FaultInjector&) = delete;

    /// Empty, or why this system does not let us.
    static std::string why_not();

    /// The command that runs `argv` under the filter.
    [[nodiscard]] std::vector<std::string> under_faults(const std::vector<std::string>& argv) const;

    void inject(Fault fault);
    /// From now on all goes on.
    void mend();
    /// How many calls have failed.
    [[nodiscard]] std::size_t count() const;
    /// Sleeps until so many have.
    void wait_for(std::size_t count) const;

  private:
    void serve();
    void accept();
    void answer(int listener);
    [[nodiscard]] int error_for(pid_t pid, long call, const unsigned long long* arguments) const;

    TempDir directory_;
    os::UniqueFd socket_;
    os::UniqueFd stop_;
    mutable std::mutex mutex_;
    mutable std::condition_variable failed_;
    std::vector<Fault> faults_;
    std::size_t count_ = 0;
    std::vector<os::UniqueFd> listeners_;  ///< the thread's
    std::thread thread_;
};

}  // namespace pp::test
