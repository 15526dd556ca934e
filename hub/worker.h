#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

#include "hub/event_loop.h"
#include "protocol/os/unique_fd.h"

namespace pp::hub {

/// A thread for what must block: SQLite, exports, starting programs. Jobs run in order; each returns what is
/// then to be done on the loop's thread. A job owns its data, and touches nothing of the hub's.
class Worker {
  public:
    using Then = std::function<void()>;
    using Job = std::function<Then()>;

    explicit Worker(EventLoop& loop);
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
    std::thread thread_;
    EventLoop::Watch watch_;
};

}  // namespace pp::hub
