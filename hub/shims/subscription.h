#pragma once

#include <functional>
#include <utility>

namespace pp::hub {

/// Calls back for as long as it lives: what it holds takes the callback out again.
class Subscription {
  public:
    Subscription() = default;
    explicit Subscription(std::function<void()> end) : end_{std::move(end)} {}
    Subscription(Subscription&& other) noexcept : end_{std::exchange(other.end_, nullptr)} {}
    Subscription& operator=(Subscription&& other) noexcept {
        std::swap(end_, other.end_);
        return *this;
    }
    ~Subscription() {
        if (end_) end_();
    }

  private:
    std::function<void()> end_;
};

}  // namespace pp::hub
