#include "hub/operations/clear.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <memory>
#include <utility>

namespace pp::hub {
namespace {

/// A shim whose process has just ended is gone within milliseconds, unless somebody outside the tree holds its pipes.
constexpr std::chrono::milliseconds kEndingLimit{1000};

std::string shim_text(const Context& context, std::uint64_t process) {
    const int pid = context.fleet.shim_pid(process);
    return pid > 0 ? "its shim (pid " + std::to_string(pid) + ")" : "its shim";
}

/// Empty, or why it must stay.
std::string why_kept(const Context& context, const rundir::ProcessFiles& files) {
    if (context.registry.is_beginning(files.number)) return "it is being started";
    if (const auto doubt = context.registry.doubt(files); !doubt.empty()) {
        const std::string damaged = "it is damaged (" + doubt + "), and ";
        if (context.registry.is_marked(files.number)) return damaged + "programs with its mark live; stop it first";
        return files.held ? damaged + shim_text(context, files.number) + " lives" : "";
    }
    if (has_live_main(files)) return "it is live; stop it first";
    if (files.lifecycle().descendants > 0)
        return "processes that it started live on (" + std::to_string(files.lifecycle().descendants) +
               "); stop it first";
    if (files.held && files.lifecycle().drained != 0)
        return shim_text(context, files.number) + " is about to end; clear it again in a moment";
    if (files.held) return "its output is still being read: something holds its pipes open";
    return {};
}

bool is_ending(const Context& context, const rundir::ProcessFiles& files) {
    return files.held && !context.registry.is_beginning(files.number) && !has_live_main(files) &&
           files.lifecycle().descendants == 0 && !context.registry.is_marked(files.number);
}

std::vector<std::uint64_t> meant(const Context& context, const ClearArguments& arguments,
                                 const Caller& caller) {
    if (!arguments.target.process.empty()) return {resolve(context, arguments.target, caller)};
    const std::string& project = arguments.target.project.empty() ? caller.project : arguments.target.project;
    std::vector<std::uint64_t> found;
    for (const auto& [number, row] : context.registry.table().rows()) {
        if (project.empty() || project == "all" || rundir::belongs_to(row.directory, row.project, project))
            found.push_back(number);
    }
    return found;
}

/// The directory first, in one step: a successor of a shim that was killed in the meantime looks for that once it has made its page
/// and socket, and takes them away again. It makes files in the directory, which the removal could come to leave there.
void remove_files(const rundir::Home& home, const std::vector<std::uint64_t>& processes) {
    for (const auto process : processes) {
        std::error_code ignored;
        const auto cleared = home.cleared(process);
        std::filesystem::rename(home.process(process), cleared, ignored);
        std::filesystem::remove_all(cleared, ignored);
        std::filesystem::remove_all(home.process(process), ignored);  // where it could not be renamed
        ::unlink(home.state_page(process).c_str());
        ::unlink(home.shim_socket(process).c_str());
    }
}

/// Waits for those that are just ending, then forgets what may be forgotten.
class Clearing : public std::enable_shared_from_this<Clearing> {
  public:
    Clearing(Context& context, std::vector<std::uint64_t> processes, bool is_one, OnResult<ClearResult> then)
        : context_{context},
          processes_{std::move(processes)},
          is_one_{is_one},
          then_{std::move(then)},
          limit_{context.loop, [this] { finish(); }} {}

    void begin() {
        for (const auto process : processes_) {
            const auto& files = context_.registry.refresh(process);
            if (!is_ending(context_, files)) continue;
            let_shim_go(files);
            changes_.push_back(context_.registry.on_change(process, [weak = weak_from_this()] {
                if (const auto self = weak.lock()) self->look();
            }));
        }
        limit_.set(kEndingLimit);
        look();
    }

  private:
    /// It waits until the history has what it told; that is to be forgotten, and on a full disk is never kept.
    void let_shim_go(const rundir::ProcessFiles& files) {
        const bool is_over = files.state && files.state->this_boot && files.lifecycle().drained != 0;
        if (is_over) context_.fleet.acknowledge(files.number, files.state->next_event - 1);
    }

    void look() {
        const bool any_ending = std::any_of(processes_.begin(), processes_.end(), [this](auto process) {
            return context_.registry.knows(process) && is_ending(context_, context_.registry.files(process));
        });
        if (!any_ending) limit_.set(std::chrono::milliseconds{0});  // not now: the registry may be telling us
    }

    void finish() {
        const auto self = shared_from_this();  // the answer may drop us
        limit_.clear();
        changes_.clear();
        ClearResult result;
        for (const auto process : processes_) {
            if (!context_.registry.knows(process)) continue;  // another clear was first
            const auto files = context_.registry.refresh(process);
            const auto why = why_kept(context_, files);
            if (!why.empty() && is_one_)
                return then_(Refusal(Refusal::Kind::failed, describe(files) + " was not cleared: " + why));
            if (!why.empty()) {
                result.kept.push_back({process, why});
                continue;
            }
            context_.registry.forget(process);
            context_.history.forget(process);
            context_.fleet.forget(process);
            result.cleared.push_back(process);
        }
        context_.worker.post([home = context_.home, result, weak = weak_from_this()]() -> Worker::Then {
            remove_files(home, result.cleared);
            return [result, weak] {
                if (const auto clearing = weak.lock()) clearing->then_(result);
            };
        });
    }

    Context& context_;
    std::vector<std::uint64_t> processes_;
    bool is_one_;
    OnResult<ClearResult> then_;
    EventLoop::Timer limit_;
    std::vector<Subscription> changes_;
};

}  // namespace

Call clear(Context& context, const ClearArguments& arguments, const Caller& caller,
           OnResult<ClearResult> then) {
    try {
        const auto clearing = std::make_shared<Clearing>(context, meant(context, arguments, caller),
                                                         !arguments.target.process.empty(), then);
        clearing->begin();
        return clearing;
    } catch (const Refusal& refusal) {
        then(refusal);
        return nullptr;
    }
}

}  // namespace pp::hub
