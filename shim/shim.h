#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "protocol/os/loop.h"
#include "protocol/os/ofd_lock.h"
#include "protocol/os/pid_fd.h"
#include "protocol/os/signal_fd.h"
#include "protocol/os/unique_fd.h"
#include "protocol/ring/writer.h"
#include "protocol/rundir/home.h"
#include "protocol/rundir/launch.h"
#include "shim/hub_link.h"
#include "shim/keeper_link.h"
#include "shim/lifecycle.h"
#include "shim/newest_child.h"
#include "shim/record.h"
#include "shim/streams.h"
#include "shim/tree.h"

namespace pp::shim {

/// Removes what bears the name of a process in the run directory, if its own directory is gone: whoever cleared it may have come before.
/// True if it is gone.
bool remove_names_of_cleared(const rundir::Home& home, std::uint64_t process);

/// One process: joins loop, child, capture, tree and the lines to keeper and hub; lifecycle.h decides.
///
/// Before the child exists, any failure ends the shim (main.cc turns it into an exit code). After that nothing does: the
/// disk gone, it keeps emptying the pipe; the hub gone, it keeps the events. It may be SIGKILLed anywhere: all that its
/// successor needs is in the state page, the event file and the keeper's hands.
class Shim {
  public:
    struct Setup {
        rundir::Home home;
        std::uint64_t process = 0;
        bool takeover = false;  ///< begin no run of our own accord: go on with what there is
        os::UniqueFd birth;     ///< socket to the keeper, if it gave us one
        HubLink::Speaks speaks;
    };

    /// The caller holds the process's lock and has blocked no signal yet. Throws what setting up throws.
    explicit Shim(Setup setup);
    ~Shim();

    void run() { loop_.run(); }

  private:
    // beginning
    void resume();
    void recall_main();
    void find_foster_parents();
    void resume_main();
    void resume_stop();
    void begin_run();
    void fail_start(int error, const char* failed);

    // deciding and doing
    void apply(Event event);
    void perform(Action action);
    void arm_grace();
    void signal_main();
    void send_stop_signal();
    void terminate_rest();
    void kill_all();
    void finish_stop();

    // what happens
    void on_socket();
    void on_child_signal();
    void on_main_ended();
    void record_exit(const ring::OrphanExit& exit);
    NewestChild newest_child() { return NewestChild{*writer_.page()}; }
    void on_tree_change();
    void on_output();
    void on_pipe_end();
    [[nodiscard]] bool has_read_fallback() const;
    void note_capture_faults();
    void on_new_keeper();
    void restore_names();
    void refuse_cleared();
    void restore_page();
    void listen();

    // requests of the hub
    void on_start(const wire::StartRun& request);
    void on_stop(const wire::Stop& request);
    void on_signal(const wire::Signal& request);
    void on_input(wire::Input message);
    void on_resize(const wire::Resize& request);
    void on_release();
    void answer(std::uint64_t token, const std::string& error = {}, std::uint64_t count = 0, std::string detail = {});
    std::string refusal(std::uint32_t run) const;

    // ending
    void retry_refused();
    bool consider_ending();
    bool consider_handing_over();
    bool can_hand_over();
    void end();
    void hand_over();

    rundir::Home home_;
    std::uint64_t process_;
    os::Loop loop_;
    os::SignalFd signals_;
    os::UniqueFd hold_;
    rundir::Launch launch_;
    ring::Lifecycle before_;  ///< as it was known before the writer made its page, if it made one
    ring::Writer writer_;
    Record record_;
    ring::Lifecycle& life_{record_.life};
    State state_;

    Streams streams_;
    Tree tree_;
    std::unique_ptr<KeeperLink> keeper_;
    std::unique_ptr<HubLink> hub_;
    os::UniqueFd listener_;
    std::unique_ptr<os::Loop::Watch> listener_watch_;
    std::unique_ptr<os::Loop::Watch> signal_watch_;

    os::PidFd main_;
    std::unique_ptr<os::Loop::Watch> main_watch_;
    os::Loop::Timer grace_timer_;
    os::Loop::Timer kill_timer_;
    os::Loop::Timer checkpoint_timer_;
    os::Loop::Timer accept_timer_;
    os::Loop::Timer refused_timer_;
    std::chrono::milliseconds refused_pause_;
    std::optional<TerminalSize> terminal_size_;  ///< as last asked for; a restart keeps it
    int stop_signal_ = SIGTERM;
    std::chrono::milliseconds grace_{5000};
    std::vector<std::uint64_t> stop_tokens_;
    std::vector<std::uint64_t> start_tokens_;
    bool said_bye_ = false;
    bool is_handing_over_ = false;    ///< as soon as no input waits
    bool offered_hand_over_ = false;  ///< said so, and the Release is awaited
};

}  // namespace pp::shim
