#include "hub/operations/run_output.h"

#include <exception>

#include "hub/operations/read_log.h"
#include "protocol/rundir/process_files.h"

namespace pp::hub {

ring::Answer read_output(const rundir::Home& home, std::uint64_t process, const ring::Query& query) {
    return read_log(process, [&] {
        auto reader = ring::Reader::find(rundir::ring_paths(home, process));
        return reader ? ring::query(*reader, query) : ring::Answer{};
    });
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
