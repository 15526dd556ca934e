#include "hub/operations/context.h"

#include "hub/refusal.h"
#include "protocol/os/proc.h"
#include "protocol/rundir/process_view.h"

namespace pp::hub {
namespace {

constexpr std::size_t kMaxListed = 10;

std::string list_of(const Registry& registry, const std::vector<std::uint64_t>& numbers) {
    std::string text;
    std::size_t listed = 0;
    for (const auto number : numbers) {
        if (listed++ == kMaxListed)
            return text + ", and " + std::to_string(numbers.size() - kMaxListed) + " more";
        text += (text.empty() ? "" : ", ") + describe(registry.files(number));
    }
    return text;
}

[[noreturn]] void refuse_unknown(const std::string& asked, const NoneSuch& none) {
    const bool is_pid = !asked.empty() && asked.find_first_not_of("0123456789") == std::string::npos;
    if (is_pid)
        throw Refusal(Refusal::Kind::not_found, "pid " + asked +
                                                    " is not the main process of anything that pp runs; "
                                                    "list shows what there is");
    std::string text = "there is no process '" + asked + "'";
    if (none.nearest) text += "; did you mean '" + *none.nearest + "'?";
    throw Refusal(Refusal::Kind::not_found, text + (none.nearest ? "" : "; list shows what there is"));
}

}  // namespace

std::string describe(const rundir::ProcessFiles& files) {
    const std::string id = rundir::process_id(files.number);
    if (!files.launch) return id;
    return id + " (" + files.launch->name + ": " + files.launch->command + " in " +
           files.launch->working_directory + ")";
}

std::uint64_t resolve(const Context& context, const Target& target, const Caller& caller) {
    if (target.process.empty())
        throw Refusal(Refusal::Kind::usage, "process is empty; give an id (p3), a pid, a name or a command");
    const std::string& project = target.project.empty() ? caller.project : target.project;
    const auto found = context.registry.table().find({target.process, project, caller.directory});
    if (const auto* number = std::get_if<std::uint64_t>(&found)) return *number;
    if (const auto* ambiguous = std::get_if<Ambiguous>(&found))
        throw Refusal(Refusal::Kind::ambiguous, "'" + target.process + "' may be one of several: " +
                                                    list_of(context.registry, ambiguous->hits) +
                                                    "; name it by its id");
    refuse_unknown(target.process, std::get<NoneSuch>(found));
}

void refuse_doubtful(const Context& context, const rundir::ProcessFiles& files) {
    const auto doubt = context.registry.doubt(files);
    if (doubt.empty()) return;
    if (files.held && !files.state && files.page_damage.empty()) {
        context.fleet.restore_names({files.number});
        throw Refusal(Refusal::Kind::failed, describe(files) + ": its state page has been removed from the run directory; its "
                                                               "shim has been told to put it back: ask again");
    }
    throw Refusal(Refusal::Kind::failed, describe(files) + " is damaged, and whether it runs is not known: " + doubt +
                                             "; stop it, clear it, and start it anew");
}

void refuse_own_tree(const Context& context, std::uint64_t process, const Caller& caller) {
    if (caller.pid <= 0) return;
    const auto& files = context.registry.look(process);
    const int main_pid = has_live_main(files) ? files.lifecycle().main_pid : 0;
    const auto mark = os::find_environment_value(caller.pid, "PP_PROCESS");
    const bool may_live = main_pid > 0 || !context.registry.doubt(files).empty();
    bool is_own = mark && mark->starts_with(rundir::process_id(process) + "#") && may_live;
    for (auto stat = os::find_proc_stat(caller.pid); !is_own && main_pid > 0 && stat && stat->pid > 1;
         stat = os::find_proc_stat(stat->parent))
        is_own = stat->pid == main_pid;
    if (is_own)
        throw Refusal(Refusal::Kind::failed, describe(files) +
                                                 " is what you run in: it would end you too; ask from "
                                                 "elsewhere, or insist with force: true (on the command line: --force)");
}

}  // namespace pp::hub
