#include "protocol/rundir/process_files.h"

#include <cstring>
#include <exception>
#include <stdexcept>

#include "protocol/os/atomic_file.h"
#include "protocol/os/ofd_lock.h"
#include "protocol/os/proc.h"
#include "protocol/os/read_file.h"
#include "protocol/rundir/event_log.h"

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

bool has_not_ended(const ring::Lifecycle& life) { return life.run > 0 && life.exit_kind == ring::ExitKind::none; }

/// The newest run as its events tell it.
std::optional<ring::Lifecycle> find_remembered(const std::string& events) {
    ring::Lifecycle life;
    for (const auto& event : read_events(events, 1)) {
        if (event.run < life.run) continue;
        if (event.run > life.run) {
            life = {};
            life.run = event.run;
            life.restarts = event.run - 1;
            life.state = ring::LifeState::running;
        }
        life.main_pid = event.pid;
        life.generation = event.generation;
        life.exit_kind = event.exit_kind;
        life.exit_value = event.exit_value;
        life.core_dumped = event.core_dumped;
        life.stop_requested = event.stop_requested;
        life.user_us = event.user_us;
        life.system_us = event.system_us;
        life.max_resident_kib = event.max_resident_kib;
        if (event.kind == EventKind::started) {
            life.main_start_time = event.start_time;
            life.started_at_ns = event.time_ns;
            life.start_cursor = event.cursor;
        }
        if (event.kind == EventKind::exited || event.kind == EventKind::start_failed) {
            life.ended_at_ns = event.time_ns;
            life.end_cursor = event.cursor;
            life.state = ring::LifeState::finished;
        }
    }
    if (life.run == 0) return std::nullopt;
    if (has_not_ended(life) && !main_lives(life)) life.exit_kind = ring::ExitKind::unknown;
    if (life.exit_kind != ring::ExitKind::none) life.state = ring::LifeState::finished;
    return life;
}

/// What to say of a run whose end nobody has recorded, when there is no shim to record it. What the page said before is
/// looked at again: the shim may have recorded the end between our two looks, and gone.
void look_at_unattended(ProcessFiles& files, const Home& home) {
    const bool may_be = files.state && files.state->this_boot && has_not_ended(files.state->lifecycle);
    if (files.held || !may_be) return;
    guarded(files.page_damage, [&] { files.state = find_page(home, files.number); });
    if (!files.is_unattended()) return;
    files.given_up = find_given_up(home.given_up(files.number));
    files.main_is_gone = has_not_ended(files.lifecycle()) && !main_lives(files.lifecycle());
}

}  // namespace

/// Where a shim was killed right behind the fork its start time is not known: then the pid alone has to do.
bool main_lives(const ring::Lifecycle& life) {
    const auto stat = life.main_pid > 0 ? os::find_proc_stat(life.main_pid) : std::nullopt;
    if (!stat || stat->state == 'Z' || stat->state == 'X') return false;
    return life.main_start_time == 0 || stat->start_time == life.main_start_time;
}

bool ProcessFiles::is_unattended() const {
    return !held && state && state->this_boot && has_not_ended(state->lifecycle);
}

ring::Lifecycle ProcessFiles::lifecycle() const {
    if (state && state->this_boot) {
        ring::Lifecycle life = state->lifecycle;
        const auto& orphan = state->orphan;
        // the keeper saw it end, and no shim will come by itself to say so
        if (given_up && has_not_ended(life) && orphan.kind != ring::ExitKind::none && orphan.pid == life.main_pid) {
            life.state = ring::LifeState::finished;
            life.exit_kind = orphan.kind;
            life.exit_value = orphan.value;
            life.core_dumped = orphan.core_dumped;
            life.ended_at_ns = orphan.ended_at_ns;
            life.end_cursor = state->tail;
            life.user_us = orphan.user_us;
            life.system_us = orphan.system_us;
            life.max_resident_kib = orphan.max_resident_kib;
        }
        return life;
    }
    if (!page_damage.empty() && held) return {};
    const auto known = std::max(state ? state->lifecycle.run : 0, remembered ? remembered->run : 0);
    if (final_record && final_record->run >= known) return *final_record;
    ring::Lifecycle lost = state ? state->lifecycle : remembered.value_or(ring::Lifecycle{});
    if (state && has_not_ended(lost)) {
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
    look_at_unattended(files, home);
    if (!files.state && files.page_damage.empty()) files.remembered = find_remembered(home.events(number));
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
