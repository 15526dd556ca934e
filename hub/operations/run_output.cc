#include "hub/operations/run_output.h"

#include <exception>

#include "hub/refusal.h"
#include "protocol/rundir/process_files.h"

namespace pp::hub {

ring::Answer read_output(const rundir::Home& home, std::uint64_t process, const ring::Query& query) {
    try {
        auto reader = ring::Reader::find(rundir::ring_paths(home, process));
        return reader ? ring::query(*reader, query) : ring::Answer{};
    } catch (const ring::QueryRefused& refused) {
        throw Refusal(Refusal::Kind::usage, refused.what());
    } catch (const std::runtime_error& damage) {
        throw Refusal(Refusal::Kind::failed,
                      "the log of " + rundir::process_id(process) + " cannot be read: " + damage.what());
    }
}

std::uint64_t log_end(const rundir::Home& home, std::uint64_t process) {
    try {
        const auto state = ring::find_state(home.state_page(process));
        return state ? state->tail : 0;
    } catch (const std::exception&) {
        return 0;
    }
}

}  // namespace pp::hub
