#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "protocol/os/unique_fd.h"

namespace pp::test {

/// The program `pp`, run with pipes for stdout and stderr and a home of its own.
class PpProcess {
  public:
    PpProcess(const std::string& root, const std::vector<std::string>& words,
              const std::string& directory = "/", const std::string& input = {});
    ~PpProcess();
    PpProcess(const PpProcess&) = delete;
    PpProcess& operator=(const PpProcess&) = delete;

    /// Reads until stdout holds `text`; false if it ends before.
    bool wait_for_output(const std::string& text);
    /// Reads until stdout holds more than that.
    bool wait_for_output_beyond(std::size_t size);
    bool wait_for_error(const std::string& text);
    /// Reads all and waits for the end. 128 + n for a signal.
    int wait();
    void signal(int number) const;
    void close_stdout() { out_pipe_.reset(); }

    std::string out;
    std::string error;

  private:
    bool read_some();
    pid_t pid_ = -1;
    os::UniqueFd out_pipe_;
    os::UniqueFd error_pipe_;
};

struct Ran {
    int code = 0;
    std::string out;
    std::string error;
};
Ran run_pp(const std::string& root, const std::vector<std::string>& words,
           const std::string& directory = "/");

}  // namespace pp::test
