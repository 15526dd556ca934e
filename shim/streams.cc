#include "shim/streams.h"

#include <fcntl.h>

#include <cerrno>
#include <map>
#include <utility>

#include "shim/find_pipes.h"

namespace pp::shim {

using ring::Stream;
using wire::HeldKind;

Streams::Streams(os::Loop& loop, ring::Writer& writer, Callbacks callbacks)
    : writer_{writer},
      callbacks_{std::move(callbacks)},
      capture_{loop,
               writer,
               {[this] { callbacks_.on_output(); }, [this](const Capture::Open& ended) { on_end(ended); }}},
      input_{loop, writer.page(), callbacks_.on_input_answer} {
    input_.on_closed([this] {
        keeper_->withdraw(HeldKind::input, input_.run(), Stream::merged);
        callbacks_.on_input_closed();
        record();
    });
}

// A run begins ---------------------------------------------------------------------------------------------------------

void Streams::deposit(const Pipes& pipes, std::uint32_t run) {
    for (const auto& output : pipes.outputs) keeper_->deposit(HeldKind::output, run, output.stream, output.ours.get());
    if (pipes.terminal.master)
        deposit(Capture::Open{pipes.terminal.aux_read.get(), pipes.terminal.master.get(),
                              pipes.terminal.aux_write.get(), Stream::merged, run});
    else if (pipes.input_ours)
        keeper_->deposit(HeldKind::input, run, Stream::merged, pipes.input_ours.get());
}

void Streams::begin(Pipes pipes, std::uint32_t run) {
    input_is_terminal_ = static_cast<bool>(pipes.terminal.master);
    for (auto& output : pipes.outputs) capture_.add(std::move(output.ours), output.stream, run);
    if (input_is_terminal_) capture_.add(std::move(pipes.terminal), run);
    input_.open(std::move(pipes.input_ours), run);
    record();
}

void Streams::withdraw(const Pipes& pipes, std::uint32_t run) {
    for (const auto& output : pipes.outputs) keeper_->withdraw(HeldKind::output, run, output.stream);
    if (pipes.terminal.master)
        withdraw(Capture::Open{-1, pipes.terminal.master.get(), -1, Stream::merged, run});
    else if (pipes.input_ours)
        keeper_->withdraw(HeldKind::input, run, Stream::merged);
}

// Succession -----------------------------------------------------------------------------------------------------------

void Streams::reclaim(std::vector<KeeperLink::Held> held, std::uint32_t live_run) {
    std::map<std::uint32_t, Terminal> terminals;
    for (auto& item : held) {
        const auto run = item.what.run;
        switch (item.what.kind) {
            case HeldKind::output: capture_.add(std::move(item.fd), item.what.stream, run); break;
            case HeldKind::input: input_.open(std::move(item.fd), run); break;
            case HeldKind::terminal: terminals[run].master = std::move(item.fd); break;
            case HeldKind::aux_read: terminals[run].aux_read = std::move(item.fd); break;
            case HeldKind::aux_write: terminals[run].aux_write = std::move(item.fd); break;
            case HeldKind::listener:
            case HeldKind::child: break;
        }
    }
    for (auto& [run, terminal] : terminals) reclaim_terminal(std::move(terminal), run, run == live_run);
}

void Streams::forget(std::vector<KeeperLink::Held>& held, std::uint32_t run) {
    std::erase_if(held, [&](const KeeperLink::Held& item) {
        if (item.what.run != run) return false;
        keeper_->withdraw(item.what.kind, run, item.what.stream);
        return true;
    });
}

/// One of which a part is missing was on its way to the keeper, and no child had it, or on its way from it.
void Streams::reclaim_terminal(Terminal terminal, std::uint32_t run, bool main_lives) {
    if (!terminal.master || !terminal.aux_read || !terminal.aux_write) return;
    if (main_lives) {
        input_.open(os::UniqueFd{::fcntl(terminal.master.get(), F_DUPFD_CLOEXEC, 0)}, run);
        input_is_terminal_ = true;
        terminal.slave = open_slave(terminal.master.get());
    }
    capture_.add(std::move(terminal), run);
}

std::uint32_t Streams::find_lost(const std::vector<pid_t>& pids) {
    std::vector<ring::Source> missing;
    for (const ring::Source& source : writer_.page()->sources) {
        if (source.pipe_inode == 0) continue;
        bool known = source.input != 0 && input_.is_open();
        capture_.for_each([&](const Capture::Open& open) {
            known = known || (source.input == 0 && open.stream == source.stream && open.run == source.run);
        });
        if (!known) missing.push_back(source);
    }
    if (missing.empty()) return 0;
    auto looked = find_pipes(pids, missing);
    for (auto& found : looked.found) {
        const auto run = found.source.run;
        const bool is_input = found.source.input != 0;
        keeper_->deposit(is_input ? HeldKind::input : HeldKind::output, run, found.source.stream, found.fd.get());
        if (is_input)
            input_.open(std::move(found.fd), run);
        else
            capture_.add(std::move(found.fd), found.source.stream, run);
    }
    record();
    return looked.unreachable_outputs;
}

void Streams::deposit_all() {
    capture_.for_each([this](const Capture::Open& open) { deposit(open); });
    if (input_.is_open() && !input_is_terminal_)
        keeper_->deposit(HeldKind::input, input_.run(), Stream::merged, input_.fd());
}

void Streams::deposit(const Capture::Open& open) {
    if (!open.is_terminal()) return keeper_->deposit(HeldKind::output, open.run, open.stream, open.pipe);
    keeper_->deposit(HeldKind::aux_read, open.run, open.stream, open.pipe);
    keeper_->deposit(HeldKind::aux_write, open.run, open.stream, open.aux_write);
    keeper_->deposit(HeldKind::terminal, open.run, open.stream, open.master);
}

void Streams::withdraw(const Capture::Open& open) {
    if (!open.is_terminal()) return keeper_->withdraw(HeldKind::output, open.run, open.stream);
    for (const auto kind : {HeldKind::terminal, HeldKind::aux_read, HeldKind::aux_write})
        keeper_->withdraw(kind, open.run, open.stream);
}

// In between -----------------------------------------------------------------------------------------------------------

void Streams::on_end(const Capture::Open& ended) {
    withdraw(ended);
    record();
    callbacks_.on_end();
}

/// A terminal has no end of input but the character that says so.
void Streams::input(Input::Request request) {
    if (request.eof && input_is_terminal_) {
        request.data += end_of_input(input_.fd());
        request.eof = false;
    }
    input_.request(std::move(request));
}

void Streams::close_input(const std::string& reason) {
    if (!input_.is_open()) return;
    input_.close(reason);
    if (!input_is_terminal_) keeper_->withdraw(HeldKind::input, input_.run(), Stream::merged);
    record();
}

int Streams::resize_terminal(std::uint32_t run, TerminalSize size) {
    const int master = capture_.master_of(run);
    return master < 0 ? ENOTTY : resize(master, size);
}

void Streams::record() {
    auto& sources = writer_.page()->sources;
    std::size_t used = 0;
    const auto add = [&](int fd, Stream stream, std::uint32_t run, bool input) {
        if (used == ring::kMaxSources) return;
        ring::Source source;
        source.pipe_inode = inode_of(fd);
        source.run = run;
        source.stream = stream;
        source.input = input ? 1 : 0;
        sources[used++] = source;
    };
    capture_.for_each([&](const Capture::Open& open) {
        if (!open.is_terminal()) add(open.pipe, open.stream, open.run, false);
    });
    if (input_.is_open() && !input_is_terminal_) add(input_.fd(), Stream::merged, input_.run(), true);
    for (; used < ring::kMaxSources; ++used) sources[used] = ring::Source{};
}

}  // namespace pp::shim
