#include "hub/process/registry.h"

#include <exception>
#include <memory>
#include <utility>

#include "hub/process/marked.h"

namespace pp::hub {
namespace {

/// But for how much was written.
bool tell_the_same(const std::optional<ring::StateSnapshot>& one, const std::optional<ring::StateSnapshot>& other) {
    if (!one || !other) return !one && !other;
    return one->process == other->process && one->this_boot == other->this_boot && one->lifecycle == other->lifecycle &&
           one->orphan == other->orphan && one->unreachable == other->unreachable;
}

/// Whether the page alone tells what may have changed: nothing is damaged, and somebody looks after what lives.
bool tells_all(const rundir::ProcessFiles& files) { return files.damage.empty() && (files.held || !has_live_main(files)); }

}  // namespace

bool has_live_main(const rundir::ProcessFiles& files) {
    const auto life = files.lifecycle();
    return life.run > 0 && life.exit_kind == ring::ExitKind::none;
}

const rundir::ProcessFiles& Registry::refresh(std::uint64_t number) {
    Known& known = known_[number];
    const auto& files = known.files = rundir::read_process_files(home_, number);
    marked_.erase(number);
    if (!doubt(files).empty() && !find_marked(home_, number).empty()) marked_.insert(number);
    on_read(known);
    if (const auto found = callbacks_.find(number); found != callbacks_.end()) {
        std::vector<std::uint64_t> ids;
        for (const auto& [id, callback] : found->second) ids.push_back(id);
        for (const auto id : ids) {  // one callback may take out another
            const auto of_process = callbacks_.find(number);
            if (of_process == callbacks_.end()) break;
            const auto entry = of_process->second.find(id);
            if (entry == of_process->second.end()) continue;
            const auto callback = entry->second;
            callback();
        }
    }
    return known_.at(number).files;
}

const rundir::ProcessFiles& Registry::look(std::uint64_t number) {
    pages_.look_at_directory();
    Known& known = known_.at(number);
    look_at_page(known);
    return known.files;
}

void Registry::look_at_all() {
    pages_.look_at_directory();
    for (auto& [number, known] : known_) glance_at_page(known);
}

/// Where nothing was written or published since, there is nothing to take.
void Registry::glance_at_page(Known& known) {
    try {
        if (!known.files.state || !tells_all(known.files) || !pages_.is_as_found(known.page)) look_at_page(known);
    } catch (const std::exception&) {
        look_at_page(known);
    }
}

void Registry::look_at_page(Known& known) {
    auto& files = known.files;
    try {
        if (tells_all(files)) {
            auto state = pages_.find(files.number, known.page);
            const bool is_told_the_same = tell_the_same(files.state, state);
            files.state = state;
            if (is_told_the_same) return;
            if (tells_all(files)) return on_read(known);
        }
    } catch (const std::exception&) {
        // the page is damaged: the full reading says how
    }
    files = rundir::read_process_files(home_, files.number);
    on_read(known);
}

const ProcessText& Registry::text(std::uint64_t number) {
    Known& known = known_.at(number);
    if (!known.text) known.text.emplace(known.files);
    return *known.text;
}

void Registry::on_read(Known& known) {
    known.text.reset();
    put_row(known.files);
}

void Registry::forget(std::uint64_t number) {
    if (const auto found = known_.find(number); found != known_.end()) pages_.let_go(found->second.page);
    known_.erase(number);
    beginning_.erase(number);
    marked_.erase(number);
    table_.erase(number);
    forgotten_.insert(number);
}

std::vector<std::uint64_t> Registry::numbers() const {
    std::vector<std::uint64_t> found;
    for (const auto& [number, known] : known_) found.push_back(number);
    return found;
}

void Registry::set_beginning(std::uint64_t number, bool beginning) {
    int& count = beginning_[number];
    count += beginning ? 1 : -1;
    if (count <= 0) beginning_.erase(number);
    if (known_.contains(number)) put_row(known_.at(number).files);
}

std::string Registry::doubt(const rundir::ProcessFiles& files) const {
    if (!files.page_damage.empty()) return files.page_damage;
    if (!files.held || is_beginning(files.number)) return {};  // a shim that is starting makes the page
    if (!files.state) return "its shim lives, but its state page is missing";
    return files.state->this_boot ? "" : "its shim lives, but its state page is of another boot";
}

void Registry::put_row(const rundir::ProcessFiles& files) {
    Row row;
    row.number = files.number;
    if (files.launch) {
        row.name = files.launch->name;
        row.label = files.launch->label;
        row.project = files.launch->project;
        row.directory = files.launch->working_directory;
        row.command = files.launch->command;
    }
    const bool lives = has_live_main(files);
    row.alive = lives || is_beginning(files.number) ||
                (!doubt(files).empty() && (files.held || is_marked(files.number)));
    row.main_pid = lives ? files.lifecycle().main_pid : 0;
    table_.put(std::move(row));
}

Subscription Registry::on_change(std::uint64_t number, std::function<void()> callback) {
    const auto id = next_id_++;
    callbacks_[number][id] = std::move(callback);
    return Subscription{[this, alive = std::weak_ptr<char>{alive_}, number, id] {
        if (alive.expired()) return;
        const auto of_process = callbacks_.find(number);
        if (of_process == callbacks_.end()) return;
        of_process->second.erase(id);
        if (of_process->second.empty()) callbacks_.erase(of_process);
    }};
}

}  // namespace pp::hub
