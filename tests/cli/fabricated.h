#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "protocol/os/ofd_lock.h"
#include "protocol/ring/writer.h"
#include "protocol/rundir/home.h"
#include "protocol/rundir/launch.h"
#include "protocol/rundir/process_files.h"

namespace pp::test {

/// A home of its own under /tmp, without any program of pp. Removed at the end.
class TemporaryHome {
  public:
    TemporaryHome();
    ~TemporaryHome();
    TemporaryHome(const TemporaryHome&) = delete;
    TemporaryHome& operator=(const TemporaryHome&) = delete;

    [[nodiscard]] const std::string& root() const { return root_; }
    [[nodiscard]] const rundir::Home& home() const { return home_; }

  private:
    std::string root_;
    rundir::Home home_;
};

/// A process whose shim is this program: its files, its lock and a writer.
class Fabricated {
  public:
    Fabricated(const rundir::Home& home, std::uint64_t number, const std::string& name,
               const std::string& command, std::uint64_t capacity = ring::kMinCapacity,
               const std::string& streams = "split");

    void begin_run(std::uint32_t run, int pid = 4711);
    void write(const std::string& text, ring::Stream stream = ring::Stream::out);
    void exit(int exit_code) { finish(ring::ExitKind::exited, exit_code); }
    void finish(ring::ExitKind kind, int value);
    void stopping();

    [[nodiscard]] std::uint64_t tail() const { return writer_.tail(); }
    rundir::Launch launch;

  private:
    ring::Writer writer_;
    std::optional<os::OfdLock> lock_;
    ring::Lifecycle life_;
};

}  // namespace pp::test
