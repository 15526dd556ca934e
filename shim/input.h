#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "protocol/os/loop.h"
#include "protocol/os/unique_fd.h"

namespace pp::shim {

/// stdin of the newest run. Never blocks: what the pipe takes is written, and the sender is told how much that was; a
/// child that does not read keeps its senders waiting, in order, up to a bound.
class Input {
  public:
    /// What became of a request: bytes taken, and an error if it could not be served.
    using Answer = std::function<void(std::uint64_t token, std::uint64_t taken, const std::string& error)>;

    Input(os::Loop& loop, Answer answer);

    /// Begins with the write end of a run's stdin; the old one is closed, who waits for it is told `reason`.
    void open(os::UniqueFd pipe, std::uint32_t run);
    void close(const std::string& reason);
    /// Writes, or waits for room. At least one byte is taken before it is answered.
    void request(std::uint64_t token, std::string data, bool eof);

    /// Somebody waits for the child to read.
    [[nodiscard]] bool has_waiting() const { return !requests_.empty(); }
    [[nodiscard]] bool is_open() const { return static_cast<bool>(pipe_); }
    [[nodiscard]] int fd() const { return pipe_.get(); }
    [[nodiscard]] std::uint32_t run() const { return run_; }
    /// Called when eof has been served: stdin is closed on request.
    void on_closed(std::function<void()> callback) { on_closed_ = std::move(callback); }

  private:
    struct Request {
        std::uint64_t token;
        std::string data;
        bool eof;
    };
    void serve();

    os::Loop& loop_;
    Answer answer_;
    std::function<void()> on_closed_;
    os::UniqueFd pipe_;
    std::uint32_t run_ = 0;
    std::unique_ptr<os::Loop::Watch> watch_;
    std::deque<Request> requests_;
};

}  // namespace pp::shim
