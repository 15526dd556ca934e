#include "protocol/rundir/process_files.h"

#include <cstring>
#include <exception>
#include <stdexcept>

#include "protocol/os/atomic_file.h"
#include "protocol/os/ofd_lock.h"
#include "protocol/os/read_file.h"

namespace pp::rundir {
namespace {

/// `exit`: fixed layout, written once per run.
struct FinalRecord {
    char magic[8] = {'P', 'P', 'E', 'X', 'I', 'T', '0', '1'};
    ring::Lifecycle lifecycle;
    std::uint64_t checksum = 0;
};

std::optional<ring::Lifecycle> find_final_record(const std::string& path) {
    const auto content = os::find_file_content(path, 4096);
    if (!content) return std::nullopt;
    FinalRecord record;
    const FinalRecord fresh;
    if (content->size() != sizeof record) throw std::runtime_error("exit record " + path + " has the wrong size");
    std::memcpy(&record, content->data(), sizeof record);
    if (std::memcmp(record.magic, fresh.magic, sizeof record.magic) != 0 ||
        ring::checksum(&record.lifecycle, sizeof record.lifecycle) != record.checksum)
        throw std::runtime_error("exit record " + path + " is damaged");
    return record.lifecycle;
}

std::optional<ring::StateSnapshot> find_page(const Home& home, ProcessNumber number) {
    auto state = ring::find_state(home.state_page(number));
    if (state && state->process != number)
        throw std::runtime_error("state page is of " + process_id(state->process));
    return state;
}

/// A page is made after its ring, so that one without is damage.
void check_ring(const Home& home, ProcessNumber number) {
    if (!ring::Reader::find(ring_paths(home, number)))
        throw std::runtime_error("ring " + home.ring(number) + " is missing");
}

/// Runs one reading; what it throws becomes text.
template <class Reading>
void guarded(std::string& damage, Reading reading) {
    try {
        reading();
    } catch (const std::exception& error) {
        if (!damage.empty()) damage += "; ";
        damage += error.what();
    }
}

}  // namespace

ring::Lifecycle ProcessFiles::lifecycle() const {
    if (state && state->this_boot) return state->lifecycle;
    if (!page_damage.empty() && held) return {};
    if (final_record && (!state || final_record->run >= state->lifecycle.run)) return *final_record;
    ring::Lifecycle lost = state ? state->lifecycle : ring::Lifecycle{};
    if (lost.run != 0 && lost.exit_kind == ring::ExitKind::none) {
        lost.exit_kind = ring::ExitKind::unknown;
        lost.state = ring::LifeState::finished;
    }
    lost.descendants = 0;
    return lost;
}

ProcessFiles read_process_files(const Home& home, ProcessNumber number) {
    ProcessFiles files;
    files.number = number;
    guarded(files.damage, [&] { files.launch = find_launch(home.launch(number)); });
    guarded(files.page_damage, [&] { files.state = find_page(home, number); });
    guarded(files.damage, [&] { files.final_record = find_final_record(home.exit(number)); });
    guarded(files.damage, [&] { files.held = os::OfdLock::is_held(home.process_lock(number)); });
    if (!files.page_damage.empty()) files.damage += (files.damage.empty() ? "" : "; ") + files.page_damage;
    if (files.state) guarded(files.log_damage, [&] { check_ring(home, number); });
    if (!files.launch && files.damage.empty()) files.damage = "launch file " + home.launch(number) + " is missing";
    return files;
}

ring::Reader::Paths ring_paths(const Home& home, ProcessNumber number) {
    return {home.state_page(number), home.ring(number), home.heads(number)};
}

void write_final_record(const Home& home, ProcessNumber number, const ring::Lifecycle& lifecycle) {
    FinalRecord record;
    record.lifecycle = lifecycle;
    record.checksum = ring::checksum(&record.lifecycle, sizeof record.lifecycle);
    os::write_atomic_file(home.exit(number), {reinterpret_cast<const char*>(&record), sizeof record}, 0600,
                          os::Durability::fsync);
}

}  // namespace pp::rundir
