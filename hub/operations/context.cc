#include "hub/operations/context.h"

#include "hub/refusal.h"
#include "protocol/os/proc.h"
#include "protocol/rundir/mark.h"
#include "protocol/rundir/process_view.h"

namespace pp::hub {

std::string describe(const rundir::ProcessFiles& files) {
    const std::string id = rundir::process_id(files.number);
    if (!files.launch) return id;
    return id + " (" + files.launch->name + ": " + files.launch->command + " in " +
           files.launch->working_directory + ")";
}

std::string sandbox_for(const Context& context, const Caller& caller) {
    return context.sandbox.ways(context.fleet.keeper_pid(), caller.pid_namespace);
}

std::uint64_t resolve(const Context& context, const Target& target, const Caller& caller) {
    if (target.process.empty())
        throw Refusal(Refusal::Kind::usage, "process is empty; give an id (p3), a pid, a name or a command");
    const std::string& project = target.project.empty() ? caller.project : target.project;
    const rundir::Asked asked{target.process, project, caller.directory};
    const auto lookup = context.registry.table().find(asked);
    if (lookup.hits.size() == 1) return lookup.hits.front()->number;
    throw Refusal(lookup.hits.empty() ? Refusal::Kind::not_found : Refusal::Kind::ambiguous,
                  rundir::refusal_text(lookup, asked));
}

void refuse_doubtful(const Context& context, const rundir::ProcessFiles& files) {
    const auto doubt = context.registry.doubt(files);
    if (doubt.empty()) return;
    if (files.held && !files.state && files.page_damage.empty()) {
        context.fleet.restore_names({files.number});
        throw Refusal(Refusal::Kind::failed, describe(files) + ": its state page has been removed from the run directory; its "
                                                               "shim has been told to put it back: ask again");
    }
    throw Refusal(Refusal::Kind::failed, describe(files) + " is damaged, and whether it runs is not known: " +
                                             doubt + "; stop it, clear it, and start it anew");
}

void refuse_own_tree(const Context& context, std::uint64_t process, const Caller& caller) {
    if (caller.pid <= 0) return;
    const auto& files = context.registry.look(process);
    const int main_pid = has_live_main(files) ? files.lifecycle().main_pid : 0;
    const bool may_live = main_pid > 0 || !context.registry.doubt(files).empty();
    bool is_own = may_live && rundir::carries_mark(caller.pid, context.home, process);
    for (auto stat = os::find_proc_stat(caller.pid); !is_own && main_pid > 0 && stat && stat->pid > 1;
         stat = os::find_proc_stat(stat->parent))
        is_own = stat->pid == main_pid;
    if (is_own)
        throw Refusal(Refusal::Kind::failed,
                      describe(files) +
                          " is what you run in: it would end you too; ask from "
                          "elsewhere, or insist with force: true (on the command line: --force)");
}

}  // namespace pp::hub
