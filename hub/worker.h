#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "hub/event_loop.h"
#include "protocol/os/unique_fd.h"

namespace pp::hub {

/// Threads for what blocks or takes long: SQLite, reading logs, starting programs. Jobs begin in order, so with one
/// thread they run in order; each returns what is then to be done on the loop's thread. A job owns its data,
/// touches nothing of the hub's, and does not throw.
class Worker {
  public:
    using Then = std::function<void()>;
    using Job = std::function<Then()>;

    explicit Worker(EventLoop& loop, std::size_t threads = 1);
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;
    /// Finishes all jobs that were posted; what they would have reported is dropped.
    ~Worker();

    void post(Job job);

  private:
    void work();
    void report();

    os::UniqueFd wake_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<Job> jobs_;
    std::vector<Then> finished_;
    bool ending_ = false;
    std::vector<std::thread> threads_;
    EventLoop::Watch watch_;
};

}  // namespace pp::hub
