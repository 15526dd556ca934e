#include "hub/operations/search.h"

#include <algorithm>
#include <chrono>
#include <exception>
#include <memory>
#include <optional>
#include <utility>

#include "hub/operations/list.h"
#include "hub/operations/read_log.h"

namespace pp::hub {
namespace {

using std::chrono::steady_clock;

constexpr std::chrono::milliseconds kSlice{10};
constexpr std::chrono::seconds kPatience{30};  // an agent waits a minute, and then has nothing

ring::LinePattern pattern_of(const SearchArguments& arguments) {
    const auto refuse = [](const std::string& why) { throw Refusal(Refusal::Kind::usage, "the pattern " + why); };
    if (arguments.pattern.empty()) refuse("is empty: every line would match");
    try {
        return {arguments.pattern, {arguments.literal, arguments.ignore_case}};
    } catch (const ring::BadPattern& bad) {
        throw Refusal(Refusal::Kind::usage, "the pattern '" + arguments.pattern.substr(0, 200) + "' " + bad.what());
    }
}

/// A search of some processes, one after the other. All but its making is done on workers.
class Search {
  public:
    Search(rundir::Home home, const SearchArguments& arguments, std::vector<rundir::ProcessFiles> processes)
        : home_{std::move(home)}, arguments_{arguments}, processes_{std::move(processes)} {
        patience_.whole = steady_clock::now() + kPatience;
    }

    /// Searches for a while; true when all is searched. Throws Refusal.
    bool run_slice() {
        if (!matcher_) {
            pattern_.emplace(pattern_of(arguments_));
            matcher_.emplace(*pattern_);
        }
        const auto end = steady_clock::now() + kSlice;
        while (next_ < processes_.size() && steady_clock::now() < end) search_some();
        return next_ == processes_.size();
    }
    SearchResult take() { return std::move(result_); }

  private:
    void search_some() {
        const auto number = processes_[next_].number;
        try {
            read_log(number, [&] {
                if (!log_) begin(number);
                if (log_ && log_->step()) return;
                note(log_ ? log_->take() : LogMatches{}, {});
            });
        } catch (const Refusal& refusal) {
            if (one_is_meant()) throw;
            note({}, refusal.what());
        }
    }

    /// Leaves `log_` empty where there is nothing to search.
    void begin(std::uint64_t process) {
        auto reader = ring::Reader::find(rundir::ring_paths(home_, process));
        if (!reader) return;
        auto query = arguments_.query;
        query.max_chars = std::max<std::size_t>(1, room_ / (processes_.size() - next_));
        try {
            log_ = std::make_unique<LogSearch>(std::move(*reader), *matcher_, query, patience_);
        } catch (const ring::QueryRefused& refused) {  // of many processes, not all have had as many runs
            if (one_is_meant() || refused.why() != ring::QueryRefused::Why::unknown_run) throw;
        }
    }

    /// The next process is through.
    void note(LogMatches found, std::string problem) {
        log_.reset();
        ++result_.searched;
        room_ -= std::min(room_, characters_of(found.lines));
        const bool worth_saying = one_is_meant() || !problem.empty() || found.matches > 0 || found.lost_bytes > 0 || found.more;
        if (worth_saying)
            result_.processes.push_back({std::move(processes_[next_]), std::move(found), std::move(problem)});
        ++next_;
    }

    [[nodiscard]] bool one_is_meant() const { return !arguments_.target.process.empty(); }

    rundir::Home home_;
    SearchArguments arguments_;
    SearchPatience patience_;
    std::optional<ring::LinePattern> pattern_;
    std::optional<LineMatcher> matcher_;
    std::vector<rundir::ProcessFiles> processes_;
    std::size_t next_ = 0;
    std::size_t room_ = arguments_.query.max_chars;  ///< for characters
    std::unique_ptr<LogSearch> log_;
    SearchResult result_;
};

std::vector<rundir::ProcessFiles> processes_of(const Context& context, const Target& target, const Caller& caller) {
    if (!target.process.empty()) return {context.registry.refresh(resolve(context, target, caller))};
    std::vector<rundir::ProcessFiles> all;
    for (const auto* files : list(context, {target.project, "", "", ""}, caller)) all.push_back(*files);
    return all;
}

using Outcome = std::variant<SearchResult, Refusal>;

/// Nothing: there is more to do.
std::optional<Outcome> run_slice(Search& search) {
    try {
        if (!search.run_slice()) return std::nullopt;
        return search.take();
    } catch (const Refusal& refusal) {
        return refusal;
    } catch (const std::exception& error) {
        return Refusal(Refusal::Kind::failed, error.what());
    }
}

/// Posts itself again until all is done or nobody waits any more.
void post_slice(Worker& worker, std::shared_ptr<Search> search, std::weak_ptr<OnResult<SearchResult>> call) {
    worker.post([&worker, search = std::move(search), call = std::move(call)]() -> Worker::Then {
        if (call.expired()) return {};
        return [&worker, search, call, outcome = run_slice(*search)] {
            const auto answer = call.lock();
            if (!answer) return;
            if (outcome)
                (*answer)(*outcome);
            else
                post_slice(worker, search, call);
        };
    });
}

}  // namespace

Call search(Context& context, const SearchArguments& arguments, const Caller& caller, OnResult<SearchResult> then) {
    return search(context.worker, context.home, arguments, processes_of(context, arguments.target, caller),
                  std::move(then));
}

Call search(Worker& worker, const rundir::Home& home, const SearchArguments& arguments,
            std::vector<rundir::ProcessFiles> processes, OnResult<SearchResult> then) {
    auto job = std::make_shared<Search>(home, arguments, std::move(processes));
    const auto call = std::make_shared<OnResult<SearchResult>>(std::move(then));
    post_slice(worker, std::move(job), call);
    return call;
}

}  // namespace pp::hub
