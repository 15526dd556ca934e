#include "hub/operations/run_wait.h"

#include <utility>

#include "hub/operations/run_output.h"

namespace pp::hub {
namespace {

constexpr std::chrono::milliseconds kQuiet{150};

}  // namespace

RunWait::RunWait(Context& context, std::uint64_t process, std::uint32_t run, WaitFor what,
                 std::chrono::milliseconds limit, Then then)
    : context_{context},
      process_{process},
      run_{run},
      what_{what},
      limit_{limit},
      then_{std::move(then)},
      limit_timer_{context.loop,
                   [this] {
                       end({has_ended(), !has_ended()});
                   }},
      quiet_timer_{context.loop, [this] { on_deadline(); }} {}

void RunWait::begin() {
    if (what_ == WaitFor::none || has_ended()) return end({has_ended(), false});
    changes_ = context_.registry.on_change(process_, [self = weak_from_this()] {
        if (const auto wait = self.lock()) wait->look();
    });
    limit_timer_.set(limit_);
    if (what_ == WaitFor::exit) return;
    const auto begin = context_.registry.look(process_).lifecycle().start_cursor;
    output_ = context_.fleet.on_output(process_, begin, [self = weak_from_this()] {
        if (const auto wait = self.lock()) wait->on_first_output();
    });
}

void RunWait::look() {
    if (has_ended()) return end({true, false});
    if (!context_.registry.doubt(context_.registry.files(process_)).empty()) end({false, true});
}

void RunWait::on_first_output() {
    seen_ = log_end(context_.home, process_);
    quiet_timer_.set(kQuiet);
}

void RunWait::on_deadline() {
    const auto now = log_end(context_.home, process_);
    if (now == seen_) return end({has_ended(), false});
    seen_ = now;
    quiet_timer_.set(kQuiet);
}

/// `exited` is told when all that main wrote is in the log, so that is the end of the wait.
bool RunWait::has_ended() {
    if (!context_.registry.knows(process_)) return true;
    const auto life = context_.registry.look(process_).lifecycle();
    return life.run > run_ || (life.run == run_ && life.exit_kind != ring::ExitKind::none);
}

void RunWait::end(Outcome outcome) {
    const auto self = weak_from_this().lock();  // `then` may drop us
    if (auto then = std::exchange(then_, nullptr)) {
        changes_ = {};
        output_ = {};
        limit_timer_.clear();
        quiet_timer_.clear();
        then(outcome);
    }
}

}  // namespace pp::hub
