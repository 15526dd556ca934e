#pragma once

#include <cstdint>
#include <exception>
#include <thread>

#include "protocol/ring/reader.h"
#include "protocol/rundir/home.h"
#include "tests/torture/numbers.h"
#include "tests/torture/watched_page.h"

namespace pp::torture {

/// Reads a ring while it is written, in a thread of its own, until its process has ended and all is read: each byte is
/// either the right one, or counted as overwritten.
class Follower {
  public:
    Follower(const WatchedPage& page, const rundir::Home& home, std::uint64_t process, Numbers numbers);

    /// Sleeps until it is through. Throws what it threw.
    void join();
    // after that
    [[nodiscard]] const NumberCheck& check() const { return check_; }
    [[nodiscard]] std::uint64_t overwritten() const { return overwritten_; }

  private:
    void follow(const ring::Reader::Paths& paths);

    const WatchedPage& page_;
    NumberCheck check_;
    std::uint64_t overwritten_ = 0;
    std::exception_ptr failure_;
    std::jthread thread_;
};

}  // namespace pp::torture
