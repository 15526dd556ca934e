// What the hub asks of a shim. Each request is answered once, by its token, when it is done or refused.

#include <cerrno>
#include <csignal>
#include <cstdio>

#include "protocol/os/error.h"
#include "shim/shim.h"

namespace pp::shim {

using std::chrono::milliseconds;

std::string Shim::refusal(std::uint32_t run) const {
    if (run == life_.run) return {};
    return "run " + std::to_string(run) + " was meant, but the newest is run " + std::to_string(life_.run);
}

void Shim::on_start(const wire::StartRun& request) {
    said_bye_ = false;  // it crossed our Bye
    if (request.run == life_.run && life_.run > 0) return answer(request.token, {}, life_.run);  // asked again
    if (request.run != life_.run + 1)
        return answer(request.token, "run " + std::to_string(request.run) + " was meant, but the next is run " +
                                         std::to_string(life_.run + 1));
    if (!request.replace && (state_.phase == Phase::running || main_))
        return answer(request.token, "the process is running already");
    start_tokens_.push_back(request.token);
    if (request.replace) {
        stop_signal_ = request.signal;
        grace_ = milliseconds{request.grace_ms};
    }
    apply(request.replace ? Event::replace_requested : Event::start_requested);
}

void Shim::on_stop(const wire::Stop& request) {
    said_bye_ = false;
    if (const auto why = refusal(request.run); !why.empty()) return answer(request.token, why);
    stop_tokens_.push_back(request.token);
    if (state_.phase != Phase::stopping && state_.phase != Phase::clearing) {
        stop_signal_ = request.signal;
        grace_ = milliseconds{request.grace_ms};
    } else if (request.grace_ms == 0) {
        grace_ = milliseconds{0};  // asked to end it now: the grace that runs is cut short
        apply(Event::grace_over);
    }
    for (const auto token : std::exchange(start_tokens_, {})) answer(token, "pp was asked to stop the process meanwhile");
    apply(Event::stop_requested);
}

void Shim::on_signal(const wire::Signal& request) {
    if (const auto why = refusal(request.run); !why.empty()) return answer(request.token, why);
    if (!main_ || main_.ended()) return answer(request.token, "the process has ended");
    ::kill(-main_.pid(), request.signal);
    answer(request.token);
}

void Shim::on_input(wire::Input message) {
    Input::Request request{message.token, message.id, std::move(message.data), message.eof};
    if (streams_.answer_input_again(request)) return;  // whatever became of the process since
    if (const auto why = refusal(message.run); !why.empty()) return answer(request.token, why);
    if (!main_) return answer(request.token, "the process has ended");
    if (launch_.mode != "pty" && launch_.stdin_mode != "pipe")
        return answer(request.token, "its stdin is the null device; start it with stdin \"pipe\" to send input");
    streams_.input(std::move(request));
}

void Shim::on_resize(const wire::Resize& request) {
    if (const auto why = refusal(request.run); !why.empty()) return answer(request.token, why);
    const TerminalSize size{request.rows, request.columns};
    const int error = main_ ? streams_.resize_terminal(request.run, size) : ESRCH;
    if (error == ESRCH) return answer(request.token, "the process has ended");
    if (error == ENOTTY) return answer(request.token, "it has no terminal; start it with mode \"pty\"");
    if (error != 0) return answer(request.token, os::error_text(error));
    terminal_size_ = size;
    auto event = record_.event(rundir::EventKind::resized);
    std::snprintf(event.text, sizeof event.text, "%ux%u", request.rows, request.columns);
    record_.append(event);
    answer(request.token);
}

void Shim::answer(std::uint64_t token, const std::string& error, std::uint64_t count, std::string detail) {
    wire::Done done;
    done.token = token;
    done.ok = error.empty();
    done.error = error;
    done.count = count;
    done.detail = std::move(detail);
    if (hub_) hub_->send_done(done);
}

}  // namespace pp::shim
