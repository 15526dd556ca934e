#include "shim/input.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "protocol/os/error.h"

namespace pp::shim {
namespace {

constexpr std::size_t kMaxWaiting = 64;

}  // namespace

Input::Input(os::Loop& loop, Answer answer) : loop_{loop}, answer_{std::move(answer)} {}

void Input::open(os::UniqueFd pipe, std::uint32_t run) {
    close("a new run has begun");
    pipe_ = std::move(pipe);
    run_ = run;
    if (!pipe_) return;
    watch_ = std::make_unique<os::Loop::Watch>(loop_, pipe_.get(), POLLOUT, [this](short) { serve(); });
    watch_->pause(true);
}

void Input::close(const std::string& reason) {
    watch_.reset();
    pipe_.reset();
    for (const auto& request : std::exchange(requests_, {})) answer_(request.token, 0, reason);
}

void Input::request(std::uint64_t token, std::string data, bool eof) {
    if (!pipe_) return answer_(token, 0, "stdin is not open");
    if (requests_.size() >= kMaxWaiting)
        return answer_(token, 0, "the process does not read its stdin, and 64 requests wait already");
    requests_.push_back({token, std::move(data), eof});
    serve();
}

void Input::serve() {
    while (pipe_ && !requests_.empty()) {
        Request& request = requests_.front();
        std::uint64_t taken = 0;
        while (taken < request.data.size()) {
            const ssize_t written = ::write(pipe_.get(), request.data.data() + taken, request.data.size() - taken);
            if (written < 0 && errno == EINTR) continue;
            if (written < 0 && errno != EAGAIN) return close("the process has closed its stdin: " + os::error_text(errno));
            if (written < 0) break;
            taken += static_cast<std::uint64_t>(written);
        }
        if (taken == 0 && !request.data.empty()) return watch_->pause(false);  // wait for room
        const auto token = request.token;
        const bool ends = request.eof && taken == request.data.size();
        requests_.pop_front();
        answer_(token, taken, "");
        if (!ends) continue;
        close("stdin was closed before");
        if (on_closed_) on_closed_();
    }
    if (watch_) watch_->pause(true);
}

}  // namespace pp::shim
