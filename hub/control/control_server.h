#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "hub/event_loop.h"
#include "hub/log.h"
#include "hub/operations/context.h"
#include "hub/tools/tool.h"
#include "protocol/wire/channel.h"
#include "protocol/wire/control_messages.h"

namespace pp::hub {

/// The skin for people: run/control.sock. Requests name a tool, and get its result. A client that dies
/// cancels what it asked; one that sends nonsense is not answered.
class ControlServer {
  public:
    /// `most_clients` may be connected at a time.
    ControlServer(EventLoop& loop, const Log& log, wire::Context& zmq, const std::string& socket_path,
                  std::size_t most_clients, Context& context);
    ~ControlServer();

  private:
    struct Open;

    /// True if there was anything: what came of it may have been sent by another socket, whose wake-up that
    /// swallows.
    bool drain();
    void on_frame(const wire::Frame& frame);
    void serve(const std::string& peer, const wire::Request& request);
    void watch_client(std::uint64_t id, int pid);
    void reply(const std::string& peer, std::uint64_t token, ToolResult result);

    EventLoop& loop_;
    const Log& log_;
    Context& context_;
    wire::Channel channel_;
    EventLoop::Watch watch_;
    bool may_have_new_peers_ = true;
    EventLoop::Watch peers_watch_;
    std::map<std::uint64_t, std::unique_ptr<Open>> open_;
    std::uint64_t next_id_ = 1;
    std::shared_ptr<char> alive_ = std::make_shared<char>();
};

}  // namespace pp::hub
