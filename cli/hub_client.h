#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "cli/context.h"
#include "cli/output/exit_code.h"
#include "protocol/os/loop.h"
#include "protocol/os/pid_fd.h"
#include "protocol/wire/channel.h"
#include "protocol/wire/control_messages.h"

namespace pp::cli {

/// What the hub says to a question.
struct Answer {
    Exit exit = Exit::done;
    std::string result;  ///< JSON object
    std::string text;    ///< for a person: the error, or a short form of the result
    bool lost = false;   ///< the hub ended before it answered: what was asked may or may not have happened
    bool hangs = false;  ///< the hub lives and does not answer
};

/// The hub that listens now, held by descriptor; nothing if there is none (that can be talked to). Throws Failure
/// (no_hub) for one that lives where we see no processes.
std::optional<os::PidFd> find_hub(const rundir::Home& home);

/// Whether the last hub was told to end, and has: one that was killed leaves its epoch.
bool hub_was_stopped(const rundir::Home& home);

/// The hub, starting one if there is none, whoever races whom. Throws Failure (no_hub) with what it said.
os::PidFd find_or_start_hub(const Context& context);

/// The conversation with the hub. Nothing is connected before the first question.
///
/// The hub's death is seen as the end of the connection, when all that it said before has been read. What only reads, and
/// input, which is taken once by the question's key, is then asked again, of a new hub; of anything else nobody knows whether
/// it happened, and the answer is `lost`.
///
/// A hub that hangs is found when it is asked: an answer may take minutes, but behind the question it is asked for
/// its status, which it can always tell. One that says nothing at all within the patience hangs.
class HubClient {
  public:
    HubClient(os::Loop& loop, const Context& context);
    ~HubClient();
    HubClient(const HubClient&) = delete;
    HubClient& operator=(const HubClient&) = delete;

    using OnAnswer = std::function<void(const Answer&)>;
    /// What becomes of a question that only reads when the hub ends.
    enum class Again {
        any_hub,  ///< it is asked of the next hub, which is started if there is none; some times in a row
        /// the same, but if the hub ended in order and there is no other, or after those times, the answer is `lost`
        unless_stopped
    };
    /// `arguments` is a JSON object. Starts a hub if need be: throws Failure (no_hub).
    void ask(const std::string& operation, const std::string& arguments, OnAnswer on_answer,
             Again again = Again::any_hub);
    void ask(wire::Request request, OnAnswer on_answer, Again again = Again::any_hub);

    /// The same, turning the loop until the answer is there.
    Answer wait_for(const std::string& operation, const std::string& arguments);
    Answer wait_for(wire::Request request);

    /// The hub it is connected to; nothing before the first question.
    [[nodiscard]] const std::optional<os::PidFd>& hub() const { return hub_; }

  private:
    struct Question {
        wire::Request request;
        OnAnswer on_answer;
        Again again = Again::any_hub;
        int tries = 0;
        bool may_have_happened = false;  ///< a hub that ended may have done it
    };
    void connect();
    void disconnect();
    void send(Question& question);
    bool drain();
    void on_reply(wire::Reply reply);
    void settle_lost(wire::Channel::End end);
    void expect_life();
    void on_silence();
    void on_hub_hangs();

    os::Loop& loop_;
    const Context& context_;
    std::unique_ptr<wire::Context> zmq_;
    std::optional<wire::Channel> channel_;
    std::unique_ptr<os::Loop::Watch> channel_watch_;
    std::optional<os::PidFd> hub_;
    std::unique_ptr<os::Loop::Watch> end_watch_;
    os::Loop::Timer silence_;
    os::Loop::TimePoint slice_end_;
    int silent_slices_ = 0;
    std::map<std::uint64_t, Question> questions_;
    std::uint64_t next_token_ = 1;
};

/// Throws the answer as a Failure if it is one, else gives it back.
const Answer& required(const Answer& answer);

/// Asks once and waits: for verbs that do nothing else. Throws Failure.
Answer ask_hub(const Context& context, const std::string& operation, const std::string& arguments);

}  // namespace pp::cli
