#include "shim/input.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "protocol/os/error.h"
#include "protocol/os/memory_file.h"

namespace pp::shim {
namespace {

constexpr std::size_t kMaxWaiting = 64;
constexpr int kLargestPipe = 1 << 20;  // fs.pipe-max-size of an ordinary user

}  // namespace

Input::Input(os::Loop& loop, ring::StatePage& page, Answer answer)
    : loop_{loop}, page_{page}, answer_{std::move(answer)} {}

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
    data_.reset();
    for (const auto& request : std::exchange(requests_, {})) answer_(request.token, 0, reason);
}

void Input::request(Request request) {
    if (answer_again(request)) return;
    if (!pipe_) return answer_(request.token, 0, "stdin is not open");
    if (requests_.size() >= kMaxWaiting)
        return answer_(request.token, 0, "the process does not read its stdin, and 64 requests wait already");
    requests_.push_back(std::move(request));
    serve();
}

void Input::cancel(std::uint64_t token) {
    const auto found =
        std::find_if(requests_.begin(), requests_.end(), [&](const Request& request) { return request.token == token; });
    if (found == requests_.end()) return;  // answered already
    if (found == requests_.begin()) data_.reset();
    requests_.erase(found);
    answer_(token, 0, "");
}

bool Input::answer_again(const Request& request) {
    const auto* const found = find_mark(request.id);
    if (found == nullptr || found->taken == 0) return false;
    answer_(request.token, static_cast<std::uint64_t>(found->taken), "");
    return true;
}

void Input::serve() {
    while (pipe_ && !requests_.empty()) {
        const Request& request = requests_.front();
        if (!data_ && !begin(request)) continue;
        move();
        if (!pipe_) return;
        const auto taken = static_cast<std::uint64_t>(mark().taken);
        if (taken == 0 && !request.data.empty()) {
            if (make_room()) continue;
            return watch_->pause(false);  // wait for room
        }
        const auto token = request.token;
        const bool ends = request.eof && taken == request.data.size();
        data_.reset();
        requests_.pop_front();
        answer_(token, taken, "");
        if (!ends) continue;
        close("stdin was closed before");
        if (on_closed_) on_closed_();
    }
    if (watch_) watch_->pause(true);
}

/// The next mark is its own before a byte of it moves.
bool Input::begin(const Request& request) {
    try {
        data_ = os::make_memory_file(request.data);
    } catch (const std::system_error& error) {
        const auto token = request.token;
        requests_.pop_front();
        answer_(token, 0, error.what());
        return false;
    }
    auto& next = page_->input_marks[(page_->inputs.load(std::memory_order_relaxed) + 1) % ring::kInputMarks];
    next.request = 0;
    next.taken = 0;
    std::atomic_signal_fence(std::memory_order_seq_cst);  // killed in between, it is nobody's
    next.request = request.id;
    page_->inputs.fetch_add(1, std::memory_order_release);
    return true;
}

void Input::move() {
    const std::size_t size = requests_.front().data.size();
    std::int64_t& taken = mark().taken;
    while (static_cast<std::size_t>(taken) < size) {
        const auto left = size - static_cast<std::size_t>(taken);
        ssize_t moved = ::sendfile(pipe_.get(), data_.get(), &taken, left);
        if (moved < 0 && errno == EINVAL) {  // a file system or terminal without splice: a SIGKILL here may double it
            moved = ::write(pipe_.get(), requests_.front().data.data() + taken, left);
            if (moved > 0) taken += moved;
        }
        if (moved < 0 && errno == EINTR) continue;
        if (moved < 0 && errno == EAGAIN) return;
        if (moved <= 0) return close("the process has closed its stdin: " + os::error_text(errno));
    }
}

/// A pipe has as many slots as pages, and each request takes slots of its own, however short it is. Where it is the slots
/// that are used up, it gets more of them. False for a terminal, and for a pipe that is full.
bool Input::make_room() {
    int waiting = 0;
    const int size = ::fcntl(pipe_.get(), F_GETPIPE_SZ);
    if (size <= 0 || size >= kLargestPipe || ::ioctl(pipe_.get(), FIONREAD, &waiting) != 0 || waiting >= size / 2)
        return false;
    return ::fcntl(pipe_.get(), F_SETPIPE_SZ, 2 * size) > size;
}

ring::InputMark& Input::mark() const {
    return page_->input_marks[page_->inputs.load(std::memory_order_relaxed) % ring::kInputMarks];
}

const ring::InputMark* Input::find_mark(std::uint64_t id) const {
    const auto* const found = std::find_if(std::begin(page_->input_marks), std::end(page_->input_marks),
                                           [&](const ring::InputMark& mark) { return mark.request == id; });
    return id == 0 || found == std::end(page_->input_marks) ? nullptr : found;
}

}  // namespace pp::shim
