#pragma once

#include <memory>
#include <optional>
#include <string>

#include "cli/context.h"
#include "cli/follow/follower.h"
#include "cli/hub_client.h"
#include "cli/output/loss_notice.h"
#include "cli/output/sink.h"
#include "cli/run/key_prompt.h"
#include "cli/run/run_options.h"
#include "cli/run/stdin_pump.h"
#include "protocol/os/loop.h"
#include "protocol/os/signal_fd.h"

namespace pp::cli {

/// `pp run` while it watches: starts the process through the hub, then shows its output and waits for its end
/// from files alone, so that the hub may come and go. Nothing that happens to this session happens to the
/// process, unless it is asked to stop.
class RunSession {
  public:
    RunSession(const Context& context, RunOptions options);
    /// The exit code: the child's, where it has come to its end.
    int run();

  private:
    void on_signal();
    void on_interrupt();
    void resize();
    void on_started(const Answer& answer);
    void on_piece(const ring::Piece& piece);
    void on_end(const ring::Lifecycle& lifecycle);
    void on_room();
    void on_choice(Choice choice);
    void ask();
    void stop_asking();
    void on_end_while_asking();
    void follow(const std::string& id, std::uint64_t cursor, std::uint32_t run);
    void pass_stdin();
    void stop(bool again);
    void on_stopped(const Answer& answer, bool again);
    void detach();
    void finish(int exit_code);
    [[nodiscard]] bool has_room() const;

    const Context& context_;
    RunOptions options_;
    os::SignalFd signals_;
    os::Loop loop_;
    os::Loop::Watch signal_watch_;
    HubClient hub_;
    Sink out_;
    Sink error_;
    LossNotice losses_;
    std::unique_ptr<Follower> follower_;
    std::unique_ptr<StdinPump> stdin_;
    std::unique_ptr<KeyPrompt> prompt_;
    std::string id_;
    std::string name_;
    bool stop_asked_ = false;
    std::optional<int> exit_code_;  ///< set: over, as soon as everything is written
};

/// What a shell would give for such an end; says on stderr what only words can tell.
int exit_code_of(const ring::Lifecycle& lifecycle, const std::string& what);

}  // namespace pp::cli
