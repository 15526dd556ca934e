#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "protocol/os/loop.h"
#include "protocol/ring/state_page.h"

namespace pp::cli {

/// Tells the loop that a state page has changed. A thread of its own sleeps on the page's futex and writes an
/// eventfd: the one thread of this program.
///
/// It sleeps only when asked to (arm), so that a writer at full speed meets no sleeper while its output is
/// being read. Nothing is missed by:   seen()  →  look at tail and lifecycle  →  arm(seen)
class PageWatch {
  public:
    /// Maps the page at `path`, to read. Throws as StatePage::open does.
    PageWatch(os::Loop& loop, const std::string& path, std::function<void()> on_change);
    ~PageWatch();
    PageWatch(const PageWatch&) = delete;
    PageWatch& operator=(const PageWatch&) = delete;

    /// The page's wake word as it is now.
    [[nodiscard]] std::uint32_t seen() const;
    /// Calls back, once, when the word is another than `seen`: at once if it is already.
    void arm(std::uint32_t seen);
    /// A copy of the page.
    [[nodiscard]] ring::StateSnapshot read() const;
    /// Where the run directory was wiped the shim has put another page in the place of this one, and woken all who slept on
    /// it: watches that one from now on. False if this one bears its name still.
    bool follow_name();

  private:
    struct Shared;
    void open();
    void close();
    static void watch(const std::shared_ptr<Shared>& shared);
    os::Loop& loop_;
    std::string path_;
    std::function<void()> on_change_;
    std::shared_ptr<Shared> shared_;
    std::unique_ptr<os::Loop::Watch> event_watch_;
    bool started_ = false;
    bool armed_ = false;
};

}  // namespace pp::cli
