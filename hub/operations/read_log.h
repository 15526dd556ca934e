#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>

#include "hub/refusal.h"
#include "protocol/ring/query.h"
#include "protocol/rundir/home.h"

namespace pp::hub {

/// Calls what reads a process's log. Throws Refusal for what that refuses, and for a log that is damaged.
template <class Read>
auto read_log(std::uint64_t process, Read&& read) {
    try {
        return std::forward<Read>(read)();
    } catch (const ring::QueryRefused& refused) {
        throw Refusal(Refusal::Kind::usage, refused.what());
    } catch (const Refusal&) {
        throw;
    } catch (const std::runtime_error& damage) {
        throw Refusal(Refusal::Kind::failed,
                      "the log of " + rundir::process_id(process) + " cannot be read: " + damage.what());
    }
}

}  // namespace pp::hub
