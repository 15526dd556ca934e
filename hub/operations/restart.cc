#include "hub/operations/restart.h"

#include <algorithm>
#include <utility>

#include "hub/operations/run_output.h"
#include "hub/operations/run_wait.h"
#include "protocol/os/error.h"

namespace pp::hub {
namespace {

constexpr std::chrono::milliseconds kSettleLimit{1000};

class RestartCall : public std::enable_shared_from_this<RestartCall> {
  public:
    RestartCall(Context& context, OnResult<RestartResult> then) : context_{context}, then_{std::move(then)} {}

    void begin(const RestartArguments& arguments, const Caller& caller) {
        guarded([&] {
            process_ = resolve(context_, arguments.target, caller);
            refuse_own_tree(context_, process_, caller);
            const auto& files = context_.registry.refresh(process_);
            if (!files.launch)
                throw Refusal(Refusal::Kind::failed,
                              "p" + std::to_string(process_) + " cannot be restarted: " + files.damage);
            refuse_doubtful(context_, files);
            const auto life = files.lifecycle();
            if (has_live_main(files)) result_.previous_pid = life.main_pid;
            Fleet::RunOrder order;
            order.run = life.run + 1;
            order.replace = true;  // what lives on of a run that ended by itself, too
            order.grace = arguments.timeout;
            context_.fleet.begin_run(process_, order, [weak = weak_from_this()](const std::string& problem) {
                if (const auto self = weak.lock()) self->guarded([&] { self->on_begun(problem); });
            });
        });
    }

  private:
    template <class Action>
    void guarded(Action action) {
        const auto self = shared_from_this();
        try {
            action();
        } catch (const Refusal& refusal) {
            answer(refusal);
        } catch (const std::exception& error) {
            answer(Refusal(Refusal::Kind::failed, error.what()));
        }
    }

    void answer(const std::variant<RestartResult, Refusal>& result) {
        if (const auto then = std::exchange(then_, nullptr)) then(result);
    }

    void on_begun(const std::string& problem) {
        const auto& files = context_.registry.refresh(process_);
        if (!problem.empty())
            throw Refusal(Refusal::Kind::failed, describe(files) + " could not be restarted: " + problem);
        const auto life = files.lifecycle();
        if (life.exit_kind == ring::ExitKind::not_started)
            throw Refusal(Refusal::Kind::failed,
                          describe(files) + " could not be started: " + os::error_text(life.exit_value));
        begin_cursor_ = life.start_cursor;
        run_ = life.run;
        wait_ = std::make_shared<RunWait>(context_, process_, life.run, WaitFor::settled, kSettleLimit,
                                          [weak = weak_from_this()](RunWait::Outcome outcome) {
                                              if (const auto self = weak.lock())
                                                  self->guarded([&] { self->finish(outcome); });
                                          });
        wait_->begin();
    }

    void finish(RunWait::Outcome outcome) {
        ring::Query query;
        query.run = run_;
        query.cursor = begin_cursor_;
        result_.output = read_output(context_.home, process_, query);
        result_.output.cursor = std::max(result_.output.cursor, begin_cursor_);
        result_.ended = outcome.ended;
        result_.process = context_.registry.refresh(process_);
        answer(result_);
    }

    Context& context_;
    OnResult<RestartResult> then_;
    std::uint64_t process_ = 0;
    std::uint32_t run_ = 0;
    std::uint64_t begin_cursor_ = 0;
    std::shared_ptr<RunWait> wait_;
    RestartResult result_;
};

}  // namespace

Call restart(Context& context, const RestartArguments& arguments, const Caller& caller,
             OnResult<RestartResult> then) {
    auto call = std::make_shared<RestartCall>(context, std::move(then));
    call->begin(arguments, caller);
    return call;
}

}  // namespace pp::hub
