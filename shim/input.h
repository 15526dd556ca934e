#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "protocol/os/loop.h"
#include "protocol/os/unique_fd.h"
#include "protocol/ring/state_page.h"

namespace pp::shim {

/// stdin of the newest run. Never blocks: what the pipe takes is written, and the sender is told how much that was; a
/// child that does not read keeps its senders waiting, in order, up to a bound.
///
/// A request is taken once, however often it is made: sendfile(2) moves it from a file in memory into the pipe or terminal
/// and stores, within the same system call, how far it came in the request's mark in the state page. So a successor that is
/// asked again knows what the dead shim had done of it.
class Input {
  public:
    /// What became of a request: bytes taken, and an error if it could not be served.
    using Answer = std::function<void(std::uint64_t token, std::uint64_t taken, const std::string& error)>;

    Input(os::Loop& loop, ring::StatePage& page, Answer answer);

    struct Request {
        std::uint64_t token = 0;
        std::uint64_t id = 0;  ///< the same each time it is made; 0: it is made once
        std::string data;
        bool eof = false;
    };

    /// Begins with the write end of a run's stdin; the old one is closed, who waits for it is told `reason`.
    void open(os::UniqueFd pipe, std::uint32_t run);
    void close(const std::string& reason);
    /// Writes, or waits for room. At least one byte is taken before it is answered.
    void request(Request request);
    /// Answers it with what was taken, if it still waits.
    void cancel(std::uint64_t token);
    /// Answers a request that was made and taken before; false if it was not.
    bool answer_again(const Request& request);

    /// Somebody waits for the child to read.
    [[nodiscard]] bool has_waiting() const { return !requests_.empty(); }
    [[nodiscard]] bool is_open() const { return static_cast<bool>(pipe_); }
    [[nodiscard]] int fd() const { return pipe_.get(); }
    [[nodiscard]] std::uint32_t run() const { return run_; }
    /// Called when eof has been served: stdin is closed on request.
    void on_closed(std::function<void()> callback) { on_closed_ = std::move(callback); }

  private:
    void serve();
    bool begin(const Request& request);
    void move();
    bool make_room();
    [[nodiscard]] ring::InputMark& mark() const;
    [[nodiscard]] const ring::InputMark* find_mark(std::uint64_t id) const;

    os::Loop& loop_;
    ring::StatePage& page_;
    Answer answer_;
    std::function<void()> on_closed_;
    os::UniqueFd pipe_;
    std::uint32_t run_ = 0;
    std::unique_ptr<os::Loop::Watch> watch_;
    std::deque<Request> requests_;
    os::UniqueFd data_;  ///< of the first of them, once it has begun
};

}  // namespace pp::shim
