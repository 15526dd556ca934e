#include "hub/operations/events.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <utility>

#include "hub/history/event_names.h"
#include "protocol/rundir/naming.h"

namespace pp::hub {
namespace {

/// Nobody tells when a history that was locked can be read again.
constexpr std::chrono::seconds kRetryAfter{1};

/// An answer that is looked for until it is there.
class Asking : public std::enable_shared_from_this<Asking> {
  public:
    Asking(Context& context, EventsArguments arguments, std::optional<std::uint64_t> process,
           std::string project, OnResult<EventsResult> then)
        : context_{context},
          arguments_{std::move(arguments)},
          process_{process},
          project_{std::move(project)},
          then_{std::move(then)},
          retry_{context.loop, [this] { look(); }} {}

    void look() {
        news_ = {};
        context_.history.find_events(query(), [weak = weak_from_this()](History::Found found) {
            if (const auto self = weak.lock()) self->on_found(std::move(found));
        });
    }

  private:
    [[nodiscard]] EventQuery query() const {
        EventQuery query;
        query.since = arguments_.since;
        query.since_time_ns = arguments_.since_time_ns;
        query.process = process_;
        query.last = arguments_.last;
        query.limit = arguments_.limit;
        query.with_seen = arguments_.with_seen;
        query.wanted = [kinds = arguments_.kinds, is_of_project = !project_.empty(),
                        processes = of_project()](const AnyEvent& event) {
            return (!is_of_project || processes.contains(process_of(event))) &&
                   (kinds.empty() || kinds.contains(event_name(event)));
        };
        return query;
    }

    /// As of now: a process that is new since the last look is among them.
    [[nodiscard]] std::set<std::uint64_t> of_project() const {
        std::set<std::uint64_t> found;
        if (project_.empty()) return found;
        for (const auto& [number, row] : context_.registry.table().rows()) {
            if (rundir::belongs_to(row.directory, row.project, project_)) found.insert(number);
        }
        return found;
    }

    void on_found(History::Found found) {
        const auto& page = found.page;
        if (found.problem.empty() && arguments_.since > page.newest)
            return answer(
                Refusal(Refusal::Kind::failed, "there is no event " + std::to_string(arguments_.since) +
                                                   " yet: the newest is " + std::to_string(page.newest)));
        if (!arguments_.wait || !page.events.empty())
            return answer(EventsResult{std::move(found.page), found.problem});
        if (!found.problem.empty()) return retry_.set(kRetryAfter);
        arguments_.since = page.number;
        arguments_.last.reset();
        news_ = context_.history.on_news([weak = weak_from_this()] {
            if (const auto self = weak.lock()) self->look();
        });
    }

    void answer(const std::variant<EventsResult, Refusal>& result) {
        const auto self = shared_from_this();  // the answer may drop us
        then_(result);
    }

    Context& context_;
    EventsArguments arguments_;
    std::optional<std::uint64_t> process_;
    std::string project_;
    OnResult<EventsResult> then_;
    Subscription news_;
    EventLoop::Timer retry_;
};

}  // namespace

Call events(Context& context, const EventsArguments& arguments, const Caller& caller,
            OnResult<EventsResult> then) {
    std::optional<std::uint64_t> process;
    if (!arguments.target.process.empty()) process = resolve(context, arguments.target, caller);
    const bool is_of_all = process.has_value() || arguments.target.project == "all";
    const auto asking = std::make_shared<Asking>(
        context, arguments, process, is_of_all ? std::string{} : arguments.target.project, std::move(then));
    asking->look();
    return asking;
}

}  // namespace pp::hub
