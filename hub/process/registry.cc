#include "hub/process/registry.h"

#include <exception>
#include <memory>
#include <utility>

#include "hub/process/marked.h"

namespace pp::hub {

bool has_live_main(const rundir::ProcessFiles& files) {
    const auto life = files.lifecycle();
    return life.run > 0 && life.exit_kind == ring::ExitKind::none;
}

const rundir::ProcessFiles& Registry::refresh(std::uint64_t number) {
    auto& files = files_[number];
    files = rundir::read_process_files(home_, number);
    marked_.erase(number);
    if (!doubt(files).empty() && !find_marked(home_, number).empty()) marked_.insert(number);
    put_row(files);
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
    return files_.at(number);
}

const rundir::ProcessFiles& Registry::look(std::uint64_t number) {
    auto& files = files_.at(number);
    try {
        const bool may_be_unattended = !files.held && has_live_main(files);  // then more than the page has to be read
        if (files.damage.empty() && !may_be_unattended) {
            files.state = ring::find_state(home_.state_page(number));
            put_row(files);
            return files;
        }
    } catch (const std::exception&) {
        // the page is damaged: the full reading says how
    }
    files = rundir::read_process_files(home_, number);
    put_row(files);
    return files;
}

void Registry::forget(std::uint64_t number) {
    files_.erase(number);
    beginning_.erase(number);
    marked_.erase(number);
    table_.erase(number);
    forgotten_.insert(number);
}

std::vector<std::uint64_t> Registry::numbers() const {
    std::vector<std::uint64_t> found;
    for (const auto& [number, files] : files_) found.push_back(number);
    return found;
}

void Registry::set_beginning(std::uint64_t number, bool beginning) {
    int& count = beginning_[number];
    count += beginning ? 1 : -1;
    if (count <= 0) beginning_.erase(number);
    if (files_.contains(number)) put_row(files_.at(number));
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
