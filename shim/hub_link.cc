#include "shim/hub_link.h"

#include <poll.h>
#include <unistd.h>

#include <exception>

#include "protocol/os/proc.h"
#include "protocol/wire/codec.h"

namespace pp::shim {
namespace {

constexpr int kFramesPerTurn = 64;

}  // namespace

HubLink::HubLink(os::Loop& loop, const rundir::Home& home, std::uint64_t process, const rundir::EventLog& events,
                 const ring::StatePage& page, Speaks speaks, Callbacks callbacks)
    : loop_{loop},
      home_{home},
      process_{process},
      events_{events},
      page_{page},
      speaks_{std::move(speaks)},
      callbacks_{std::move(callbacks)} {}

HubLink::~HubLink() = default;

void HubLink::look_for_hub() {
    const auto epoch = rundir::find_hub_epoch(home_);
    if (!epoch || (channel_ && epoch->epoch == epoch_)) return;
    drop();
    try {
        auto hub = os::PidFd::find(epoch->pid);
        const auto stat = os::find_proc_stat(epoch->pid);
        if (!hub || !stat || stat->start_time != epoch->start_time) return;  // the file outlived its hub
        if (!context_) context_ = std::make_unique<wire::Context>();
        channel_ = std::make_unique<wire::Channel>(wire::Channel::dealer(*context_, home_.shims_socket()));
        hub_ = std::move(hub);
    } catch (const std::exception&) {
        drop();  // out of descriptors or memory: the next kick tries again, the events are on disk
        return;
    }
    epoch_ = epoch->epoch;
    hub_watch_ = std::make_unique<os::Loop::Watch>(loop_, hub_->get(), POLLIN, [this](short) { drop(); });
    channel_watch_ = std::make_unique<os::Loop::Watch>(loop_, channel_->fd(), POLLIN, [this](short) { channel_->on_wake(); });
    say_hello();
}

void HubLink::greet() {
    const auto before = epoch_;
    look_for_hub();
    if (channel_ && epoch_ == before) say_hello();
}

void HubLink::say_hello() {
    wire::Hello hello;
    hello.protocol = speaks_.protocol;
    hello.version = speaks_.version;
    hello.process = process_;
    hello.pid = ::getpid();
    hello.next_event = page_->next_event.load(std::memory_order_relaxed);
    hello.epoch = epoch_;
    send(hello);
}

void HubLink::drop() {
    if (channel_) callbacks_.on_lost();
    channel_watch_.reset();
    hub_watch_.reset();
    channel_.reset();
    hub_.reset();
    welcomed_ = false;
    watched_cursor_.reset();
}

bool HubLink::drain() {
    for (int i = 0; i < kFramesPerTurn; ++i) {
        if (!channel_) return false;
        const auto frame = channel_->try_receive_if_woken();
        if (!frame) return false;
        try {
            on_frame(frame->bytes);
        } catch (const wire::BadMessage&) {
            // nonsense: this frame is dropped, nothing else happens
        }
    }
    return true;
}

void HubLink::on_frame(const std::string& bytes) {
    const auto type = wire::type_of(bytes);
    if (speaks_.protocol < wire::kResizeSince && type == wire::Resize::kType) return;
    if (speaks_.protocol < wire::kHandOverSince && type == wire::HandOver::kType) return;
    switch (type) {
        case wire::Welcome::kType: return on_welcome(wire::decode<wire::Welcome>(bytes));
        case wire::Ack::kType:
            acknowledged_ = std::max(acknowledged_, wire::decode<wire::Ack>(bytes).number);
            return;
        case wire::StartRun::kType: return callbacks_.on_start(wire::decode<wire::StartRun>(bytes));
        case wire::Stop::kType: return callbacks_.on_stop(wire::decode<wire::Stop>(bytes));
        case wire::Signal::kType: return callbacks_.on_signal(wire::decode<wire::Signal>(bytes));
        case wire::Input::kType: return callbacks_.on_input(wire::decode<wire::Input>(bytes));
        case wire::CancelInput::kType:
            return callbacks_.on_cancel_input(wire::decode<wire::CancelInput>(bytes));
        case wire::Resize::kType: return callbacks_.on_resize(wire::decode<wire::Resize>(bytes));
        case wire::Watch::kType:
            watched_cursor_ = wire::decode<wire::Watch>(bytes).cursor;
            return on_output(page_->tail.load(std::memory_order_relaxed));
        case wire::Ping::kType: {
            wire::Pong pong;
            pong.token = wire::decode<wire::Ping>(bytes).token;
            return send(pong);
        }
        case wire::HandOver::kType: return callbacks_.on_hand_over();
        case wire::Release::kType: return callbacks_.on_release();
        default: break;  // of a newer protocol: not for us
    }
}

void HubLink::on_welcome(const wire::Welcome& welcome) {
    welcomed_ = true;
    acknowledged_ = welcome.from_event > 0 ? welcome.from_event - 1 : 0;
    const auto next = page_->next_event.load(std::memory_order_relaxed);
    const auto oldest = next > rundir::kEventSlots ? next - rundir::kEventSlots : 1;
    for (auto number = std::max(welcome.from_event, oldest); number < next; ++number) {
        if (const auto event = events_.find(number)) send(wire::EventMessage{*event});
    }
}

bool HubLink::owes_acknowledgement() const {
    return channel_ && acknowledged_ + 1 < page_->next_event.load(std::memory_order_relaxed);
}

/// Before the Welcome nothing is sent: it tells from where on, and then all come in order.
void HubLink::send_event(const rundir::Event& event) {
    if (welcomed_) send(wire::EventMessage{event});
}

void HubLink::send_done(const wire::Done& done) { send(done); }

void HubLink::say_bye(bool hand_over) {
    wire::Bye bye;
    bye.hand_over = hand_over;
    bye.next_event = page_->next_event.load(std::memory_order_relaxed);
    send(bye);
}

void HubLink::on_output(std::uint64_t tail) {
    if (!watched_cursor_ || tail <= *watched_cursor_) return;
    watched_cursor_.reset();
    wire::Output output;
    output.tail = tail;
    send(output);
}

template <class Message>
void HubLink::send(const Message& message) {
    if (!channel_) return;
    try {
        channel_->send(wire::encode(message));
    } catch (const std::exception&) {
        drop();  // the hub's death will kick, or has
    }
}

}  // namespace pp::shim
