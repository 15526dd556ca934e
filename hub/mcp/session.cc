#include "hub/mcp/session.h"

#include <sys/random.h>

#include <algorithm>
#include <array>

#include "protocol/os/error.h"

namespace pp::hub::mcp {
namespace {

std::string random_id() {
    std::array<unsigned char, 16> bytes{};
    if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) os::throw_errno("getrandom");
    static constexpr std::string_view kDigits = "0123456789abcdef";
    std::string text;
    for (const unsigned char byte : bytes) {
        text += kDigits[byte >> 4];
        text += kDigits[byte & 15];
    }
    return text;
}

}  // namespace

Session& Sessions::open(std::string protocol, std::string client_name, std::string client_version) {
    expire();
    Session session;
    session.id = random_id();
    session.protocol = std::move(protocol);
    session.client_name = std::move(client_name);
    session.client_version = std::move(client_version);
    session.last_used = std::chrono::steady_clock::now();
    return sessions_.emplace(session.id, std::move(session)).first->second;
}

Session* Sessions::find(const std::string& id) {
    const auto found = sessions_.find(id);
    if (found == sessions_.end()) return nullptr;
    found->second.last_used = std::chrono::steady_clock::now();
    return &found->second;
}

bool Sessions::close(const std::string& id) {
    const auto found = sessions_.find(id);
    if (found == sessions_.end()) return false;
    const Session ended = std::move(found->second);
    sessions_.erase(found);
    for (const auto& [call_id, call] : ended.calls) {
        if (const auto pending = call.lock()) pending->cancel();
    }
    return true;
}

/// When somebody comes: no timer wakes us for it.
void Sessions::expire() {
    const auto oldest = [&] {
        return std::min_element(sessions_.begin(), sessions_.end(), [](const auto& a, const auto& b) {
            return a.second.last_used < b.second.last_used;
        });
    };
    const auto limit = std::chrono::steady_clock::now() - kIdle;
    for (auto entry = oldest(); entry != sessions_.end(); entry = oldest()) {
        if (sessions_.size() < kMax && entry->second.last_used > limit) return;
        close(std::string{entry->first});
    }
}

}  // namespace pp::hub::mcp
